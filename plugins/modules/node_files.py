# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Files of a node and the units that read them, in one task."""

from __future__ import annotations

DOCUMENTATION = """
module: node_files
short_description: Files of a node and the systemd units that read them, in one task
description:
  - Writes texts and downloads binaries, each all or nothing; what is as described is left alone.
  - Restarts a unit once when a file that it reads has changed, as a part of that change.
  - A restart that a killed run left undone is made by the next.
  - Enables and starts units.
options:
  files:
    description: Files that must be as described, owned by the user who runs this.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Where it is., type: path, required: true}
      content: {description: Its text., type: str}
      url: {description: Where it is downloaded from., type: str, default: ""}
      sha256: {description: "Digest of the final file; needed with O(files[].url).", type: str, default: ""}
      member: {description: "Its name in the archive at O(files[].url), if that is one.", type: str, default: ""}
      mode: {description: Its mode in octal., type: str, default: "0644"}
  secrets:
    description: Texts by path, with mode 0600; never shown, neither in the diff nor in a log.
    type: dict
    default: {}
  absent:
    description: Files that must not be.
    type: list
    elements: path
    default: []
  restarts:
    description: Units to restart, if they run, when a file that they read is changed by this task.
    type: list
    elements: dict
    default: []
    suboptions:
      unit: {description: Name with suffix., type: str, required: true}
      "on": {description: Paths of those files., type: list, elements: path, required: true}
      oneshot: {description: Run it even if it does not run and do not wait for its end., type: bool, default: false}
  units:
    description: Units that must be enabled and running.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name with suffix., type: str, required: true}
      when_exists: {description: It is started only once this path exists., type: path, default: ""}
  planned:
    description: The machine does not exist yet; report everything as to be made, without looking.
    type: bool
    default: false
attributes:
  check_mode:
    description: Reports what would change. Units are looked at only if systemd runs.
    support: full
  diff_mode:
    description: Shows texts as texts, secrets and binaries by digest.
    support: full
author: Open Data Platform contributors
"""

EXAMPLES = """
- name: Containerd is installed
  opendata.platform.node_files:
    files:
      - path: /etc/containerd/config.toml
        content: "{{ lookup('ansible.builtin.template', 'containerd.toml.j2') }}"
      - path: /usr/local/bin/containerd
        url: https://example.org/containerd-2.4.2-linux-amd64.tar.gz
        member: bin/containerd
        sha256: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
        mode: "0755"
    restarts:
      - unit: containerd.service
        "on": [/etc/containerd/config.toml, /usr/local/bin/containerd]

- name: Containerd is running
  opendata.platform.node_files:
    units:
      - name: containerd.service
"""

RETURN = """
changed_paths:
  description: Files that were (in check mode, would be) written or removed.
  returned: always
  type: list
  elements: str
restarted:
  description: Units that were (in check mode, would be) restarted.
  returned: always
  type: list
  elements: str
idle:
  description: Units of O(restarts) that are not enabled or do not run, oneshots excepted.
  returned: always
  type: list
  elements: str
units:
  description: What was (in check mode, would be) done about each unit that lacked something, C(enable) or C(start).
  returned: always
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.opendata.platform.plugins.module_utils.node import download as download_client
from ansible_collections.opendata.platform.plugins.module_utils.node import file_io as client
from ansible_collections.opendata.platform.plugins.module_utils.node import files as pure
from ansible_collections.opendata.platform.plugins.module_utils.node import systemd as units_client

FILE_SPEC = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str"},
    "url": {"type": "str", "default": ""},
    "sha256": {"type": "str", "default": ""},
    "member": {"type": "str", "default": ""},
    "mode": {"type": "str", "default": "0644"},
}
RESTART_SPEC = {
    "unit": {"type": "str", "required": True},
    "on": {"type": "list", "elements": "path", "required": True},
    "oneshot": {"type": "bool", "default": False},
}
UNIT_SPEC = {
    "name": {"type": "str", "required": True},
    "when_exists": {"type": "path", "default": ""},
}


def described(params: dict) -> list[dict]:
    """All files in one list; the secret ones are marked."""
    secret = {"url": "", "sha256": "", "member": "", "mode": "0600", "secret": True}
    files = [{**file, "secret": False} for file in params["files"]]
    return files + [{**secret, "path": path, "content": content} for path, content in sorted(params["secrets"].items())]


def plan(params: dict, files: list[dict]) -> tuple[list[dict], list[dict], list[str]]:
    """What would change: files to write, their diffs, files to remove."""
    writes, diffs = [], []
    for file in files:
        shown = file["content"] is not None and not file["secret"]
        found = pure.Found() if params["planned"] else client.find(file["path"], shown)
        if pure.differs(file, found):
            writes.append(file)
            diffs.append(pure.diff(file, found))
    removals = [] if params["planned"] else [path for path in params["absent"] if client.find(path, False).sha256]
    diffs += [{"before_header": path, "after_header": path, "before": "present\n", "after": ""} for path in removals]
    return writes, diffs, removals


def carry_out(writes: list[dict], removals: list[str], folder: str) -> None:
    """Download, write and remove files."""
    downloads = [file for file in writes if file["content"] is None]
    for url, files in pure.by_url(downloads).items():
        download_client.install(url, files, folder)
    for file in writes:
        if file["content"] is not None:
            client.write(file["path"], file["content"], int(file["mode"], 8))
    for path in removals:
        client.remove(path)


def converge(params: dict, files: list[dict], check: bool, folder: str) -> dict[str, object]:
    """Files, then the restarts that they cause, then units; what was or would be done."""
    writes, diffs, removals = plan(params, files)
    paths = [file["path"] for file in writes] + removals
    due = [] if params["planned"] else units_client.restarts_due(params["restarts"], set(paths))
    if not check:
        units_client.note(due)
        carry_out(writes, removals, folder)
        units_client.restart(due, set(paths))
    lacks = units_client.missing(params["units"], params["planned"])
    if not check:
        units_client.mend(lacks)
    restarted = [one["unit"] for one in due]
    words = [f"{name}: restart\n" for name in restarted]
    words += [f"{name}: {', '.join(actions)}\n" for name, actions in lacks.items()]
    diffs += [{"before": "", "after": word} for word in words]
    readers = [{"name": one["unit"], "when_exists": ""} for one in params["restarts"] if not one["oneshot"]]
    return {
        "changed": bool(diffs),
        "changed_paths": paths,
        "restarted": restarted,
        "idle": list(units_client.missing(readers, params["planned"])),
        "units": lacks,
        "diff": diffs,
    }


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "default": [], "options": FILE_SPEC},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "absent": {"type": "list", "elements": "path", "default": []},
            "restarts": {"type": "list", "elements": "dict", "default": [], "options": RESTART_SPEC},
            "units": {"type": "list", "elements": "dict", "default": [], "options": UNIT_SPEC},
            "planned": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    files = described(params)
    if errors := pure.spec_errors(files, params["absent"]):
        module.fail_json(msg="The files are not described well:\n" + "\n".join(errors))
    try:
        result = converge(params, files, module.check_mode or params["planned"], module.tmpdir)
    except (client.NodeFileError, units_client.UnitError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
