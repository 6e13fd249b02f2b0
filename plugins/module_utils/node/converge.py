# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Bring files of a node, and the systemd units that read them, to their wanted state."""

from __future__ import annotations

from typing import Any

from ..module import Module, difference
from . import download, file_io, systemd
from . import files as pure

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

OPTIONS = {
    "files": {"type": "list", "elements": "dict", "default": [], "options": FILE_SPEC},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "absent": {"type": "list", "elements": "path", "default": []},
    "restarts": {"type": "list", "elements": "dict", "default": [], "options": RESTART_SPEC},
    "units": {"type": "list", "elements": "dict", "default": [], "options": UNIT_SPEC},
    "planned": {"type": "bool", "default": False},
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


def converge(module: Module) -> dict[str, Any]:
    """Write files, restart their readers, then enable and start units; returns the result of module node_files.

    Fails the module if the descriptions of files contradict each other.

    :raises NodeFileError: if a file cannot be downloaded, read or written.
    :raises UnitError: if a unit cannot be restarted, enabled or started.
    """
    params, check = module.params, module.check_mode or module.params["planned"]
    files = described(params)
    if errors := pure.spec_errors(files, params["absent"]):
        module.fail_json(msg="The options files and absent have errors:\n" + "\n".join(errors))
    writes, diffs, removals = plan(params, files)
    paths = [file["path"] for file in writes] + removals
    due = [] if params["planned"] else systemd.restarts_due(params["restarts"], set(paths))
    if not check:
        systemd.note(due)
        apply(writes, removals, module.tmpdir)
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
