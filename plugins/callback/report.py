# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Shows progress and the tables at the end of a run, and holds the locks of the fleet."""

from __future__ import annotations

DOCUMENTATION = r"""
name: report
type: aggregate
short_description: Show progress and the state of clusters, and lock the fleet
version_added: 0.1.0
author: [Open Data Platform contributors (@opendata)]
description:
  - Prints the elapsed time, the stage and the name of each task that starts.
  - At the end of a run with the stage C(status), prints a table with one row for each cluster, even if all
    hosts failed, and one for each service of each cluster. At the end of C(mesh_status.yml) it has one row for
    each pair of clusters, at the end of C(mesh_test.yml) and C(verify.yml) one for each check.
  - Prints the warnings of tasks that changed nothing, which the stdout callback hides.
  - Holds a kernel lock on C(.state/lock) of the inventory while a playbook of this collection, or one with its
    roles, runs, and refuses a second run. C(status.yml), C(mesh_status.yml), C(preflight.yml) and check mode
    only read and take no lock.
  - Between controllers, holds the Lease C(opendata-platform-fleet) in namespace C(kube-system) of each cluster
    of the run that answers. It is taken after the inventory is validated, for new clusters at the end of the
    stage C(clusters), and expires 30 seconds after it was last renewed.
requirements: [enable in configuration]
options:
  status_file:
    description: Path of a file for the content of the table as JSON.
    type: path
    env: [{name: ODP_STATUS_FILE}]
"""

import importlib
import json
import os
import pkgutil
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import action_loader, filter_loader, test_loader
from ansible_collections.opendata.platform.plugins import modules
from ansible_collections.opendata.platform.plugins.module_utils.fleet.paths import UnknownInventory, directory
from ansible_collections.opendata.platform.plugins.module_utils.lock.held import (
    ClustersInUse,
    FleetInUse,
    FleetLeases,
    FleetLock,
    shown,
    who,
)
from ansible_collections.opendata.platform.plugins.module_utils.lock.lease import Run
from ansible_collections.opendata.platform.plugins.module_utils.mesh.status import report as mesh
from ansible_collections.opendata.platform.plugins.module_utils.processes import end_with_parent
from ansible_collections.opendata.platform.plugins.module_utils.report import clusters as report
from ansible_collections.opendata.platform.plugins.module_utils.report import services

COLLECTION = "opendata.platform"
READING = ("status.yml", "mesh_status.yml", "preflight.yml")
QUIET = ("validate_argument_spec", "include_role", "include_tasks", "import_role", "meta")


class CallbackModule(CallbackBase):
    """Runs next to the stdout callback; a run also works without it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = f"{COLLECTION}.report"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._start = self._stage_start = time.monotonic()
        self._lock: FleetLock | None = None
        self._leases: FleetLeases | None = None
        self._hosts: set[str] = set()
        self._stage = ""
        self._seconds: dict[str, float] = {}
        self._clusters: set[str] = set()
        self._fleet: dict[str, Any] = {}
        self._seen: dict[str, report.Row] = {}
        self._described: dict[str, list[report.Row]] = {}
        self._services: dict[str, list[report.Row]] = {}
        self._mesh: dict[str, mesh.Answer] = {}
        self._checks: dict[str, list[mesh.Row]] = {}
        self._failures: dict[str, str] = {}
        self._common = ""

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Take the local lock, or end the run."""
        ours = any(_is_ours(play) for play in playbook.get_plays())
        reading = context.CLIARGS.get("check") or Path(playbook._file_name).name in READING
        if self._lock or not ours:
            return
        # Workers have sessions of their own: without this, those of a killed run would write beside the next run.
        os.register_at_fork(after_in_child=end_with_parent)
        preload()
        try:
            state = Path(directory(context.CLIARGS.get("inventory") or [])) / ".state"
            if not reading:
                self._lock = lock = FleetLock(state, sys.argv)
                self._leases = FleetLeases(Run(lock.identity, lock.controller, who(), shown(sys.argv)))
        except (UnknownInventory, FleetInUse, OSError) as error:
            self._end(error)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Enter the stage: all plays of one playbook file are one stage."""
        variables = play.get_variable_manager().get_vars(play=play)
        self._hosts |= {*variables["ansible_play_hosts_all"]}
        self._clusters |= {*variables["groups"].get("clusters", [])} & self._hosts
        self._enter(Path(play.get_path().rpartition(":")[0]).stem)

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Print one line for each task; end the run if a Lease was lost."""
        try:
            if self._leases:
                self._leases.check()
        except ClustersInUse as error:
            self._end(error)
        if task.action.rpartition(".")[2] not in QUIET:
            item = task.get_name().replace(f"{COLLECTION}.", "").replace(" : ", " | ")
            self._say(f"{self._stage} | {item}")

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """Print one line for each handler."""
        self.v2_playbook_on_task_start(task, False)

    def v2_runner_on_ok(self, result: Any) -> None:
        """Collect results, and print the warnings that the stdout callback hides."""
        self._remember(result)
        if not result.result.get("changed"):
            for warning in result.result.get("warnings") or []:
                # Ansible prints each warning only once.
                self._display.warning(warning)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Collect the first failure of each host."""
        self._remember(result)
        if not ignore_errors:
            self._failures.setdefault(result.host.get_name(), self._message(result))
            self._common = self._common or (self._message(result) if result.task.run_once else "")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Collect an unreachable host as failed."""
        if not result.task.ignore_unreachable:
            self._failures.setdefault(result.host.get_name(), self._message(result))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Print the table and write the status file."""
        self._enter("")
        failures = {host: why for host, why in self._failures.items() if host in stats.failures or host in stats.dark}
        lines, status = self._found(failures)
        if lines:
            self._display.display("\n".join(lines) + "\n")
        self._display.display(report.timings(self._seconds))
        if path := self.get_option("status_file"):
            Path(path).write_text(json.dumps(status) + "\n", encoding="utf-8")
        if self._lock and self._leases:
            self._leases.release()
            self._lock.release()
            self._lock = self._leases = None

    def _take_leases(self) -> None:
        """Take the Leases of the clusters that exist and answer."""
        try:
            if self._leases and self._fleet:
                self._leases.take(self._fleet, self._hosts)
                if not self._leases.alive:
                    self._display.warning("No Leases: the process that keeps them has ended. See docs/start.md.")
        except ClustersInUse as error:
            self._end(error)

    def _end(self, error: Exception) -> NoReturn:
        """End the run; SystemExit is not caught by the dispatcher of callbacks."""
        self._display.error(str(error), wrap_text=False)
        if self._lock and self._leases:
            self._leases.release()
            self._lock.release()
        raise SystemExit(1) from error

    def _found(self, failures: dict[str, str]) -> tuple[list[str], report.Row]:
        """The table and its content for programs: of the mesh for playbooks of the mesh, else of the clusters."""
        lost = {name: failures.get(name) or self._common for name in self._clusters}
        lost = {name: why for name, why in lost.items() if why}
        if "mesh_status" in self._seconds:
            # A cluster of the play without a result has left the mesh.
            left = self._clusters - {*self._mesh, *lost}
            pairs = mesh.matrix({*self._fleet.get("mesh", self._clusters)} - left, self._mesh, lost)
            return mesh.table(pairs), mesh.status(pairs, bool(failures))
        if {"verify", "mesh_test"} & self._seconds.keys():
            checks = mesh.checks(self._checks, lost)
            return mesh.check_table(checks), mesh.test(checks, bool(failures))
        found = report.rows(self._clusters, self._fleet, self._seen, failures, self._common if failures else "")
        served = services.rows(self._described, self._services)
        is_shown = found and ("status" in self._seconds or failures)
        lines = [*report.table(found), *services.table(served)] if is_shown else []
        return lines, services.joined(report.status(found, bool(failures)), served)

    def _enter(self, stage: str) -> None:
        """Add the elapsed seconds to the previous stage."""
        now = time.monotonic()
        if self._stage:
            self._seconds[self._stage] = self._seconds.get(self._stage, 0) + now - self._stage_start
        ended, self._stage, self._stage_start = self._stage, stage, now
        if ended == "clusters" and stage not in (ended, ""):
            self._take_leases()

    def _say(self, line: str) -> None:
        """Print one line with the elapsed time."""
        self._display.display(f"[{report.clock(time.monotonic() - self._start)}] {line}")

    def _remember(self, result: Any) -> None:
        """Collect the fleet record and the content of the tables from the results of our modules."""
        action, host, data = result.task.action, result.host.get_name(), result.result
        if action == f"{COLLECTION}.fleet" and data.get("fleet"):
            self._fleet = data["fleet"]
            self._take_leases()
        elif action == f"{COLLECTION}.cluster_info" and data.get("cluster"):
            self._seen[host] = data["cluster"]
        elif action == f"{COLLECTION}.flux_ready" and "services" in data:
            self._services[host], self._described[host] = data["services"], data.get("described") or []
        elif action == f"{COLLECTION}.cilium_clustermesh_info" and "cluster" in data:
            self._mesh[host] = data
        elif action in (f"{COLLECTION}.cilium_clustermesh_probe", f"{COLLECTION}.pod_checks"):
            self._checks.setdefault(host, []).extend(data.get("checks") or [])
        elif action == "ansible.builtin.debug" and data.get("msg"):
            # Messages of roles; the stdout callback hides them because nothing changed.
            for line in data["msg"] if isinstance(data["msg"], list) else str(data["msg"]).splitlines():
                self._say(line)

    @staticmethod
    def _message(result: Any) -> str:
        """Name of the task and the message of the module; of a loop, the first item that failed."""
        items = [item for item in result.result.get("results", []) if item.get("failed")]
        words = (items[0] if items else result.result).get("msg") or "failed without a message"
        return f"{result.task.get_name().rpartition(' : ')[2]}: {words}"


def _is_ours(play: Any) -> bool:
    """Whether the play is one of this collection's playbooks, or has a role of it."""
    playbooks = Path(__file__).resolve().parents[2] / "playbooks"
    path = Path(play.get_path().rpartition(":")[0]).resolve()
    return path.is_relative_to(playbooks) or any(role._role_collection == COLLECTION for role in play.get_roles())


def preload() -> None:
    """Import what most workers need, once: they are forked from this process, and ansible-core caches no bytecode."""
    for each in pkgutil.iter_modules(modules.__path__, f"{modules.__name__}."):
        importlib.import_module(each.name)
    for loader in (filter_loader, test_loader):
        list(loader.all())
    filter_loader.get(f"{COLLECTION}.service_view")
    action_loader.get(f"{COLLECTION}.direct", class_only=True)
