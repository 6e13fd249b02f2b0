# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Set sysctls and load kernel modules, now and at boot."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from ..module import difference
from . import file_io

ROOT = Path("/")
HEADER = "# Written by opendata.platform.\n"


class KernelSettingError(Exception):
    """Settings that the kernel refuses; the message names each with the reason."""


def read(path: Path) -> str | None:
    """Text of a file; None if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


def normal(value: object) -> str:
    """A sysctl's value with one blank between its fields; the kernel prints tabs."""
    return " ".join(str(value).split())


def key_path(key: str) -> Path:
    """File of a sysctl; ``net/ipv4/conf/eth0.1/x`` keeps the dots in the name of an interface."""
    return ROOT / "proc/sys" / (key if "/" in key else key.replace(".", "/"))


def wrong_sysctls(wanted: dict[str, str], planned: bool) -> dict[str, tuple[str, str]]:
    """(current, wanted) value by key of what differs; "absent" where the kernel has no such key."""
    wrong = {}
    for key, value in sorted(wanted.items()):
        current = None if planned else read(key_path(key))
        if current is None or normal(current) != value:
            wrong[key] = ("absent" if current is None else normal(current), value)
    return wrong


def set_sysctls(wrong: dict[str, tuple[str, str]]) -> dict[str, str]:
    """Set what differs; returns the reason by key where the kernel refuses."""
    refused = {}
    for key, (current, wanted) in wrong.items():
        try:
            if current == "absent":
                refused[key] = "this kernel has no such setting"
            else:
                key_path(key).write_text(wanted, encoding="utf-8")
        except OSError as error:
            refused[key] = str(error.strerror)
    return refused


def missing_modules(modules: list[str]) -> list[str]:
    """Modules that are neither loaded nor built into the kernel."""
    builtin = read(ROOT / "lib/modules" / os.uname().release / "modules.builtin") or ""
    present = {line.rsplit("/", 1)[-1].removesuffix(".ko").replace("-", "_") for line in builtin.split()}
    # Where there is no such list: file systems, as the last column names them.
    present |= {line.split()[-1] for line in (read(ROOT / "proc/filesystems") or "").splitlines() if line.strip()}
    named = {name: name.replace("-", "_") for name in modules}
    return [name for name in modules if named[name] not in present and not (ROOT / "sys/module" / named[name]).is_dir()]


def load_modules(modules: list[str]) -> dict[str, str]:
    """Load modules; returns the reason by name where that fails."""
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


def persist(params: dict[str, Any], sysctls: dict[str, str], check: bool) -> list[dict[str, str]]:
    """Write or remove the two files where they differ; returns the differences."""
    wanted = {
        "etc/sysctl.d": [f"{key} = {value}\n" for key, value in sorted(sysctls.items())],
        "etc/modules-load.d": [f"{name}\n" for name in sorted(set(params["modules"]))],
    }
    diffs = []
    for folder, lines in wanted.items():
        path = str(ROOT / folder / "90-opendata-platform.conf")
        text = "".join([HEADER, *lines]) if lines else ""
        found = "" if params["planned"] else read(Path(path)) or ""
        if found == text:
            continue
        diffs.append(difference(path, found, text))
        if not check and text:
            file_io.write(path, text, 0o644)
        elif not check:
            file_io.remove(path)
    return diffs


def converge(params: dict[str, Any], check: bool) -> dict[str, Any]:
    """Compare, then change what differs unless ``check``; returns the module's result.

    :raises KernelSettingError: with all settings that the kernel refuses.
    """
    planned, sysctls = params["planned"], {key: normal(value) for key, value in params["sysctls"].items()}
    modules = params["modules"] if planned else missing_modules(params["modules"])
    refused = {} if check else load_modules(modules)
    # After the modules, which bring sysctls of their own.
    wrong = wrong_sysctls(sysctls, planned)
    if not check:
        refused.update(set_sysctls(wrong))
    if refused:
        lines = [f"{name}: {reason}" for name, reason in refused.items()]
        raise KernelSettingError("The kernel refuses settings that a node needs:\n" + "\n".join(lines))
    diffs = [difference(key, f"{before}\n", f"{after}\n") for key, (before, after) in wrong.items()]
    diffs += persist(params, sysctls, check)
    diffs += [{"before": "", "after": f"module {name} loaded\n"} for name in modules]
    return {"changed": bool(diffs), "diff": diffs, "sysctls": list(wrong), "modules": modules}
