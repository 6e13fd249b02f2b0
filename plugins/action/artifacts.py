# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Controller part of module artifacts: plans, downloads, builds, and returns the facts."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.opendata.platform.plugins.module_utils.artifacts import lockfile as lock
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.build import images
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.build.jobs import JobError, disk_is_full
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.download import answering
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.lockfile import Facts, collect, lock_entries
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.make import Maker
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.plan import (
    Choice,
    Plan,
    source_errors,
    version_errors,
)
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.registry import stored_digest
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.store import Store, StoreBusy
from ansible_collections.opendata.platform.plugins.module_utils.files import atomic_write
from ansible_collections.opendata.platform.plugins.module_utils.module import difference
from ansible_collections.opendata.platform.plugins.module_utils.processes import end_with_parent

COLLECTION = Path(__file__).resolve().parents[2]
ARGUMENTS = {
    "source": {"type": "str", "required": True},
    "build_allowed": {"type": "bool", "required": True},
    "table": {"type": "dict", "required": True},
    "unwanted": {"type": "list", "elements": "str", "default": []},
    "registries": {"type": "dict", "default": {}},
    "jobs": {"type": "int", "default": 2},
    "state": {"type": "path", "required": True},
    "cache": {"type": "path", "required": True},
}


class ActionModule(ActionBase):
    """Provides the artifacts of a fleet from releases or builds."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return ``artifacts``; unless in check mode, missing artifacts are added to the store."""
        result = super().run(tmp, task_vars)
        _validated, arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        # Plain data: YAML cannot dump the tagged strings of Ansible.
        arguments["table"] = json.loads(json.dumps(arguments["table"]))
        provider = Provider(arguments, COLLECTION, Display().display)
        try:
            return {**result, **provider.provide(self._task.check_mode)}
        except (JobError, OSError) as error:
            full = isinstance(error, OSError) and disk_is_full(str(error))
            step = f" Free space below {arguments['cache']} and run again; finished artifacts are kept." if full else ""
            # Without the cause, which Ansible would print again.
            raise AnsibleActionFail(f"{error}{step}") from None


class Provider:
    """A run over the table of artifacts."""

    def __init__(self, arguments: dict[str, Any], collection: Path, say: Callable[[str], None]) -> None:
        """Take the module's arguments; ``say`` prints a line of progress."""
        self.arguments, self.collection, self.say = arguments, collection, say
        self.table: dict[str, dict[str, Any]] = arguments["table"]
        self.store = Store(Path(arguments["cache"]))
        self.lock_path = Path(arguments["state"]) / "artifacts.lock.yml"
        inventory = Path(arguments["state"]).parent
        shown = inventory.relative_to(Path.cwd()) if inventory.is_relative_to(Path.cwd()) else inventory
        self.inventory = f"{shown}/group_vars/all.yml"
        self.manifests: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, bool] = {}

    def provide(self, check_mode: bool) -> dict[str, Any]:
        """Return ``changed``, ``diff``, ``made`` and ``artifacts``.

        :raises JobError: with every finding, or the failed job.
        """
        text, locked = self._read_lock()
        source, allowed = self.arguments["source"], self.arguments["build_allowed"]
        findings = source_errors(source, allowed, self.inventory)
        if not allowed:
            findings += lock.refused_builds(locked, str(self.lock_path), self.inventory)
        fail_with(findings)
        choices = self._plan()
        built = {name: self.table[name] for name, choice in choices.items() if choice.origin == "build"}
        fail_with(version_errors(built, self._go_mod))
        due = [choice for choice in choices.values() if not choice.present]
        took: dict[str, float] = {}
        if due and not check_mode:
            choices, took = self._make(locked)
        paths = {name: self._path(choice) for name, choice in choices.items()}
        facts = collect(self.table, choices, self.manifests, paths)
        wanted = text if due and check_mode else self._lock_text(facts, locked)
        if wanted != text and not check_mode:
            self.lock_path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(self.lock_path, wanted, 0o600)
        plan = "".join(f"{choice.origin} {self.table[choice.name].get('image', choice.name)}\n" for choice in due)
        return {
            "changed": bool(due) or wanted != text,
            "made": {name: round(seconds, 1) for name, seconds in took.items()},
            "diff": [
                difference("artifacts", "", plan),
                difference(str(self.lock_path), text, wanted),
            ],
            "artifacts": {
                "source": {"mode": source, "build_allowed": allowed},
                "store": str(self.store.served),
                "registry_storage": str(self.store.registry),
                **facts,
            },
        }

    def _read_lock(self) -> tuple[str, dict[str, dict[str, Any]]]:
        if not self.lock_path.exists():
            return "", {}
        text = self.lock_path.read_text()
        try:
            return text, lock.read(text)
        except ValueError as error:
            raise JobError(f"{self.lock_path} is not a lock of artifacts: {error}. Restore or remove it.") from error

    def _go_mod(self, source: str) -> str:
        return (self.collection / source / "go.mod").read_text()

    def _sources(self, name: str) -> dict[str, bytes]:
        """Return the files of this collection that a recipe uses."""
        source = self.table[name]["build"].get("source")
        root = self.collection / source if source else None
        files = sorted(path for path in [root, *root.rglob("*")] if path.is_file()) if root else []
        # Bytecode is not a source.
        files = [path for path in files if path.parent.name != "__pycache__"]
        return {str(path.relative_to(self.collection)): path.read_bytes() for path in files}

    def _path(self, choice: Choice) -> Path:
        return self.store.path(choice.name, choice.key, bool(self.table[choice.name].get("tree")))

    def _present(self, name: str, origin: str, key: str) -> bool:
        """Return whether an artifact is in the store, and a built image in the registry's storage."""
        entry = self.table[name]
        manifest = self.store.manifest(name, key, bool(entry.get("tree")))
        image = entry.get("image")
        if not manifest:
            return False
        if image and origin == "build" and stored_digest(self.store.registry, image) != manifest["digest"]:
            return False
        self.manifests[name] = manifest
        return True

    def _plan(self) -> dict[str, Choice]:
        """Return the choices; the release hosts are requested only if their answer matters."""
        self.manifests.clear()
        arguments = self.arguments
        plan = Plan(
            self.table,
            arguments["source"],
            arguments["build_allowed"],
            self._sources,
            self._present,
            arguments["registries"],
            arguments["unwanted"],
        )
        if unasked := set(plan.hosts_in_question()) - set(self.answers):
            self.answers.update(answering(unasked))
            if silent := sorted(host.partition("//")[2] for host in unasked if not self.answers[host]):
                self.say(f"artifacts: no answer within 3 s from {', '.join(silent)}, building their artifacts instead")
        plan.answers = self.answers
        return plan.all()

    def _make(self, locked: dict[str, dict[str, Any]]) -> tuple[dict[str, Choice], dict[str, float]]:
        """Create what is due while holding the store; another run may have created it meanwhile."""
        end_with_parent()
        spoken = 0.0
        while True:
            try:
                with self.store.held():
                    return self._make_held(locked)
            except StoreBusy as busy:
                if time.monotonic() - spoken > 15:
                    self.say(f"artifacts: waiting for another run ({busy})")
                    spoken = time.monotonic()
                time.sleep(0.5)

    def _make_held(self, locked: dict[str, dict[str, Any]]) -> tuple[dict[str, Choice], dict[str, float]]:
        choices = self._plan()
        due = [choice for choice in choices.values() if not choice.present]
        self.store.sweep()
        kinds = {self.table[choice.name]["build"]["kind"] for choice in due if choice.origin == "build"}
        if missing := images.missing_programs(kinds):
            self.say(f"artifacts: installing {', '.join(sorted(set(missing.values())))}")
            images.install_programs(missing)
        arguments = self.arguments
        maker = Maker(
            self.store, self.collection, self.table, choices, arguments["registries"], locked, str(self.lock_path)
        )
        took = maker.run(max(1, min(arguments["jobs"], os.cpu_count() or 1)), self.say)
        for choice in due:
            if not self._present(choice.name, choice.origin, choice.key):
                raise JobError(f"{choice.name} is incomplete in {self._path(choice)}. Run again.")
        return choices, took

    def _lock_text(self, facts: Facts, locked: dict[str, dict[str, Any]]) -> str:
        """Return the new text of the lock; fails if a release has changed since it was locked."""
        entries = lock_entries(facts, self.manifests)
        news = [each for kind in entries.values() for each in kind.items()]
        downloads = [(name, entry) for name, entry in news if entry["origin"] == "download"]
        findings: list[str] = []
        path = str(self.lock_path)
        for name, entry in downloads:
            findings += lock.changed_release(name, locked.get(name), entry, entry.get("url", name), path)
        fail_with(findings)
        return lock.render(entries)


def fail_with(findings: Any) -> None:
    """Fail with all findings, if there are any."""
    if lines := list(findings):
        raise JobError("\n".join(lines))
