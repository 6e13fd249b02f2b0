# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Manage files of a node and the systemd units that read them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_files
short_description: Manage files of a node and the systemd units that read them
version_added: 0.1.0
description:
  - Writes text files and downloads binaries, each atomically and only if it differs.
  - Restarts a unit once if a file that it reads has changed.
  - A restart that a killed run did not get to is done by the next run.
  - Enables and starts units.
options:
  files:
    description: Files to write, owned by the user who runs the task.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Path of the file., type: path, required: true}
      content: {description: Text of the file., type: str}
      url: {description: URL to download it from., type: str, default: ""}
      sha256: {description: "SHA-256 of the final file; required with O(files[].url).", type: str, default: ""}
      member: {description: "Name of the file in the archive, if O(files[].url) is an archive.", type: str, default: ""}
      mode: {description: Octal mode of the file., type: str, default: "0644"}
  secrets:
    description: Text by path, written with mode 0600 and never shown in a diff or log.
    type: dict
    default: {}
  absent: {description: Files to remove., type: list, elements: path, default: []}
  restarts:
    description: Units to restart, if they are running, when this task changes a file that they read.
    type: list
    elements: dict
    default: []
    suboptions:
      unit: {description: Name of the unit with suffix., type: str, required: true}
      "on": {description: Paths of the files that the unit reads., type: list, elements: path, required: true}
      oneshot: {description: "Start it if it is not running, and do not wait for its end.", type: bool, default: false}
  units:
    description: Units to enable and start.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the unit with suffix., type: str, required: true}
      when_exists: {description: Start the unit only if this path exists., type: path, default: ""}
  planned:
    description: The machine does not exist yet; report everything as a change without reading anything.
    type: bool
    default: false
attributes:
  check_mode: {description: Reports what would change. Units are inspected only if systemd is running., support: full}
  diff_mode: {description: "Shows text files as text, secrets and binaries by digest.", support: full}
author: Open Data Platform contributors (@opendata)
"""

EXAMPLES = r"""
- name: Install containerd
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
    units:
      - name: containerd.service
"""

RETURN = r"""
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
units:
  description: Actions that were (in check mode, would be) taken by unit, C(enable) or C(start).
  returned: always
  type: dict
"""

from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.module import Module, difference
from ansible_collections.opendata.platform.plugins.module_utils.node import download, file_io, systemd
from ansible_collections.opendata.platform.plugins.module_utils.node import files as pure

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


def described(params: dict[str, Any]) -> list[pure.File]:
    """All files in one list, secrets marked."""
    secret = {"url": "", "sha256": "", "member": "", "mode": "0600", "secret": True}
    files = [{**file, "secret": False} for file in params["files"]]
    return files + [{**secret, "path": path, "content": content} for path, content in sorted(params["secrets"].items())]


def plan(params: dict[str, Any], files: list[pure.File]) -> tuple[list[pure.File], list[dict[str, str]], list[str]]:
    """Compare: files to write, their diffs, files to remove."""
    writes, diffs = [], []
    for file in files:
        shown = file["content"] is not None and not file["secret"]
        found = pure.Found() if params["planned"] else file_io.find(file["path"], shown)
        if pure.differs(file, found):
            writes.append(file)
            diffs.append(pure.diff(file, found))
    removals = [] if params["planned"] else [path for path in params["absent"] if file_io.find(path, False).sha256]
    diffs += [difference(path, "present\n", "") for path in removals]
    return writes, diffs, removals


def apply(writes: list[pure.File], removals: list[str], folder: str) -> None:
    """Download, write and remove files."""
    downloads = [file for file in writes if file["content"] is None]
    for url, files in pure.by_url(downloads).items():
        download.install(url, files, folder)
    for file in writes:
        if file["content"] is not None:
            file_io.write(file["path"], file["content"], int(file["mode"], 8))
    for path in removals:
        file_io.remove(path)


def converge(params: dict[str, Any], files: list[pure.File], check: bool, folder: str) -> dict[str, Any]:
    """Write files, restart their readers, then enable and start units; returns the module's result."""
    writes, diffs, removals = plan(params, files)
    paths = [file["path"] for file in writes] + removals
    due = [] if params["planned"] else systemd.restarts_due(params["restarts"], set(paths))
    if not check:
        systemd.note(due)
        apply(writes, removals, folder)
        systemd.restart(due, set(paths))
    actions_due = systemd.missing(params["units"], params["planned"])
    if not check:
        systemd.repair(actions_due)
    restarted = [one["unit"] for one in due]
    words = [f"{name}: restart\n" for name in restarted]
    words += [f"{name}: {', '.join(actions)}\n" for name, actions in actions_due.items()]
    diffs += [{"before": "", "after": word} for word in words]
    return {
        "changed": bool(diffs),
        "changed_paths": paths,
        "restarted": restarted,
        "units": actions_due,
        "diff": diffs,
    }


def main() -> None:
    """Read the task's options and converge."""
    module = Module(
        {
            "files": {"type": "list", "elements": "dict", "default": [], "options": FILE_SPEC},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "absent": {"type": "list", "elements": "path", "default": []},
            "restarts": {"type": "list", "elements": "dict", "default": [], "options": RESTART_SPEC},
            "units": {"type": "list", "elements": "dict", "default": [], "options": UNIT_SPEC},
            "planned": {"type": "bool", "default": False},
        },
    )
    params = module.params
    files = described(params)
    if errors := pure.spec_errors(files, params["absent"]):
        module.fail_json(msg="The options files and absent have errors:\n" + "\n".join(errors))
    with module.reporting(file_io.NodeFileError, systemd.UnitError):
        result = converge(params, files, module.check_mode or params["planned"], module.tmpdir)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
