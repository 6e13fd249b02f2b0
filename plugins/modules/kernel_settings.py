# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Sysctls and kernel modules, live and over a reboot."""

from __future__ import annotations

DOCUMENTATION = """
module: kernel_settings
short_description: Sysctls and kernel modules, live and over a reboot
description:
  - Sets sysctls now and in C(/etc/sysctl.d), loads modules now and in C(/etc/modules-load.d).
  - A module that is part of the kernel counts as loaded.
options:
  name:
    description: Name of the two files, without suffix.
    type: str
    default: 90-opendata-platform
  sysctls:
    description: Value by key. All of ours; a key that is taken out here leaves the file and keeps its live value.
    type: dict
    default: {}
  optional_sysctls:
    description: Like O(sysctls), but a key that is absent or cannot be set here is left out.
    type: dict
    default: {}
  modules:
    description: Modules to load.
    type: list
    elements: str
    default: []
  planned:
    description: The machine does not exist yet; report everything as to be made, without looking.
    type: bool
    default: false
attributes:
  check_mode:
    description: Reports what would change.
    support: full
  diff_mode:
    description: Shows live values and both files.
    support: full
author: Open Data Platform contributors
"""

EXAMPLES = """
- name: Kernel is set for Kubernetes
  opendata.platform.kernel_settings:
    sysctls: {net.ipv4.ip_forward: 1}
    modules: [overlay]
"""

RETURN = """
sysctls:
  description: Keys that were (in check mode, would be) set live.
  returned: always
  type: list
  elements: str
modules:
  description: Modules that were (in check mode, would be) loaded.
  returned: always
  type: list
  elements: str
left_out:
  description: Keys of O(optional_sysctls) that cannot be set here.
  returned: always
  type: list
  elements: str
"""

import os
import subprocess
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.opendata.platform.plugins.module_utils.node import file_io as files_client
from ansible_collections.opendata.platform.plugins.module_utils.node import sysctl as pure

ROOT = Path("/")


class KernelSettingError(Exception):
    """Settings that cannot be had here; the message names them and the reason."""


def read(path: Path) -> str | None:
    """Text at a path; None if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


def read_sysctls(keys: dict[str, object]) -> dict[str, str | None]:
    """Live value of each key; None where the kernel has none."""
    return {key: read(ROOT / "proc/sys" / pure.key_path(key)) for key in keys}


def write_sysctls(values: dict[str, str]) -> dict[str, str]:
    """Set keys live; the reason of each that could not be set."""
    refused = {}
    for key, value in values.items():
        try:
            (ROOT / "proc/sys" / pure.key_path(key)).write_text(value, encoding="utf-8")
        except OSError as error:
            refused[key] = str(error.strerror)
    return refused


def missing_modules(modules: list[str]) -> list[str]:
    """Modules that are neither loaded nor part of the kernel."""
    builtin = read(ROOT / "lib/modules" / os.uname().release / "modules.builtin") or ""
    present = pure.builtin_modules(builtin, read(ROOT / "proc/filesystems") or "")
    named = {name: name.replace("-", "_") for name in modules}
    return [name for name in modules if named[name] not in present and not (ROOT / "sys/module" / named[name]).is_dir()]


def load_modules(modules: list[str]) -> dict[str, str]:
    """Load modules; the reason of each that could not be loaded."""
    refused = {}
    for name in modules:
        try:
            done = subprocess.run(["modprobe", name], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            refused[name] = "there is no modprobe (package kmod)"
            continue
        if done.returncode:
            refused[name] = done.stderr.strip()
    return refused


def settable(keys: dict[str, object]) -> dict[str, object]:
    """Those optional settings that exist here and may be written."""
    return {key: value for key, value in keys.items() if os.access(ROOT / "proc/sys" / pure.key_path(key), os.W_OK)}


def persist(params: dict, sysctls: dict[str, object], check: bool) -> list[dict[str, str]]:
    """Write both files where they differ; the differences."""
    wanted = {
        str(ROOT / "etc/sysctl.d" / f"{params['name']}.conf"): pure.sysctl_file(sysctls) if sysctls else "",
        str(ROOT / "etc/modules-load.d" / f"{params['name']}.conf"): pure.modules_file(params["modules"])
        if params["modules"]
        else "",
    }
    diffs = []
    for path, text in wanted.items():
        found = "" if params["planned"] else read(Path(path)) or ""
        if found == text:
            continue
        diffs.append({"before_header": path, "after_header": path, "before": found, "after": text})
        if check:
            continue
        if text:
            files_client.write(path, text, 0o644)
        else:
            files_client.remove(path)
    return diffs


def converge(params: dict, check: bool) -> dict[str, object]:
    """Look, then set what differs unless ``check``.

    :raises KernelSettingError: with all settings that this kernel refuses.
    """
    optional = params["optional_sysctls"] if params["planned"] else settable(params["optional_sysctls"])
    sysctls = {**params["sysctls"], **optional}
    modules = params["modules"] if params["planned"] else missing_modules(params["modules"])
    refused = {} if check else load_modules(modules)
    found = {} if params["planned"] else read_sysctls(sysctls)
    wrong = pure.wrong_sysctls(sysctls, found)
    absent = [key for key in wrong if not params["planned"] and not check and found[key] is None]
    refused.update(dict.fromkeys(absent, "this kernel has no such setting"))
    if not check:
        refused.update(write_sysctls({key: wanted for key, (_, wanted) in wrong.items() if key not in absent}))
    if refused:
        lines = [f"{name}: {reason}" for name, reason in refused.items()]
        raise KernelSettingError("This kernel refuses what a node needs:\n" + "\n".join(lines))
    diffs = [
        {"before_header": key, "after_header": key, "before": f"{before}\n", "after": f"{after}\n"}
        for key, (before, after) in wrong.items()
    ]
    diffs += persist(params, sysctls, check)
    diffs += [{"before": "", "after": f"module {name} loaded\n"} for name in modules]
    return {
        "changed": bool(diffs),
        "diff": diffs,
        "sysctls": list(wrong),
        "modules": modules,
        "left_out": sorted(set(params["optional_sysctls"]) - set(optional)),
    }


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "default": "90-opendata-platform"},
            "sysctls": {"type": "dict", "default": {}},
            "optional_sysctls": {"type": "dict", "default": {}},
            "modules": {"type": "list", "elements": "str", "default": []},
            "planned": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        result = converge(module.params, module.check_mode or module.params["planned"])
    except (KernelSettingError, files_client.NodeFileError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
