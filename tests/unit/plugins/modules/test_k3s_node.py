# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Modules k3s_node and k3s_cluster below a temporary root, with scripts that stand in for k3s and systemd."""

import json
import subprocess
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.k3s import cli as client
from ansible_collections.opendata.platform.plugins.module_utils.k3s import cluster as cluster_client
from ansible_collections.opendata.platform.plugins.module_utils.node import systemd as units_client

import stand_in_k3s

Run = Callable[..., dict[str, Any]]
URL, PART, TOKEN = "https://api:6443", "etc/rancher/k3s/config.yaml.d/10-cluster.yaml", "t" * 48
SERVER = {"server": True, "name": "s1", "url": URL, "token": TOKEN}
WAL = "var/lib/rancher/k3s/server/db/etcd/member/wal"
# Says its version, and notes each call with what the configuration names at that moment.
SCRIPT = """#!/bin/sh
[ "$1" = --version ] && echo "k3s version v1.36.4+k3s1 (0)" && exit
echo "$* | $(cat {part} 2>/dev/null)" >>{calls}
case "$*" in
  *save*) echo 'level=info msg="Snapshot edge-s1-1 saved."' >&2 ;;
  "kubectl drain"*) echo "violates the disruption budget" >&2; exit 1 ;;
  *nodes*) cat {nodes} ;;
esac
"""


class Machine:
    """A root with a unit of systemd; a start of it makes data as k3s would."""

    def __init__(self, root: Path) -> None:
        self.root, self.unit, self.actions = root, {"ActiveState": "inactive", "UnitFileState": "disabled"}, []
        binary = root / "usr/local/bin/k3s"
        binary.parent.mkdir(parents=True)
        paths = {name: root / name for name in ("calls", "nodes")}
        binary.write_text(SCRIPT.format(part=root / PART, **paths))
        binary.chmod(0o755)

    def systemctl(self, *arguments: str) -> str:
        self.actions.append(" ".join(arguments))
        if arguments[0] in ("start", "restart"):
            (self.root / WAL).mkdir(parents=True, exist_ok=True)
            self.unit["ActiveState"] = "active"
        elif arguments[0] == "stop":
            self.unit["ActiveState"] = "inactive"
        elif arguments[0] in ("enable", "disable"):
            self.unit["UnitFileState"] = f"{arguments[0]}d"
        return ""

    @property
    def part(self) -> str:
        path = self.root / PART
        return path.read_text() if path.exists() else ""

    @property
    def calls(self) -> list[str]:
        path = self.root / "calls"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setattr(client, "ROOT", tmp_path)
    monkeypatch.setattr(client, "READY_SECONDS", 0)
    monkeypatch.setattr(units_client, "systemctl", made.systemctl)
    monkeypatch.setattr(units_client, "states", lambda names: {names[0]: made.unit})
    return made


def refuse(code: int) -> Callable[..., bytes]:
    """Stands in for a server that gives its CA and refuses the token."""

    def ask(url: str, user: str = "", _token: str = "") -> bytes:
        if user:
            raise urllib.error.HTTPError(url, code, "Unauthorized", None, None)
        return b"ca"

    return ask


def test_a_planned_machine_is_not_looked_at(machine: Machine, run: Run) -> None:
    result = run("k3s_node", state="started", planned=True, **SERVER)
    assert result["changed"] and result["state"] == "absent" and result["diff"][0]["after"] == "create the cluster\n"
    assert not machine.actions and not machine.calls


def test_check_mode_touches_nothing(machine: Machine, run: Run) -> None:
    result = run("k3s_node", check=True, state="started", join=URL, **SERVER)
    assert result["changed"] and result["diff"] == [{"before": "", "after": f"join {URL}\n"}]
    assert not machine.actions and machine.part == ""


def test_only_the_first_start_may_make_a_cluster(machine: Machine, run: Run) -> None:
    result = run("k3s_node", state="started", **SERVER)
    assert result["changed"] and result["state"] == "running" and result["named"]
    assert machine.calls[0].endswith("| cluster-init: true")
    assert machine.part == f"server: {URL}\n"
    second = run("k3s_node", state="started", **SERVER)
    assert second["changed"] is False and second["version"] == "v1.36.4+k3s1"


def test_a_run_that_was_killed_before_the_name_is_taken_up(machine: Machine, run: Run) -> None:
    run("k3s_node", state="started", **SERVER)
    (machine.root / PART).write_text("cluster-init: true\n")
    assert run("k3s_node", **SERVER)["named"] is False
    assert run("k3s_node", state="started", **SERVER)["changed"] and machine.part == f"server: {URL}\n"


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (
            refuse(401),
            f"{URL} refuses the token (401). Set cluster_k3s_token to the token of that cluster.",
        ),
        (
            refuse(500),
            f"{URL} answers 500 Unauthorized. See the log of k3s there: journalctl --unit=k3s",
        ),
    ],
)
def test_a_join_that_is_refused_starts_nothing(
    machine: Machine, run: Run, monkeypatch: pytest.MonkeyPatch, ask: Callable[..., bytes], words: str
) -> None:
    monkeypatch.setattr(cluster_client, "ask", ask)
    result = run("k3s_node", state="started", join=URL, **SERVER)
    assert result["failed"] and result["msg"] == f"s1 cannot join: {words}"
    assert not machine.actions and machine.part == ""


def test_a_join_without_a_server_starts_nothing(machine: Machine, run: Run) -> None:
    result = run("k3s_node", state="started", join="https://127.0.0.1:1", **SERVER)
    assert result["msg"] == (
        "s1 cannot join: No server answers at https://127.0.0.1:1: [Errno 111] Connection refused. Nothing was started."
    )
    assert not machine.actions


def test_a_full_token_is_not_sent_to_another_cluster(
    machine: Machine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_client, "ask", refuse(401))
    full = {**SERVER, "token": f"K10{'0' * 64}::server:secret"}
    result = run("k3s_node", state="started", join=URL, **full)
    assert result["msg"].startswith(f"s1 cannot join: {URL} is a server of another cluster than the token's")
    assert "secret" not in json.dumps({**result, "invocation": {}})
    assert not machine.actions


def test_another_token_is_noticed_and_never_told(machine: Machine, run: Run) -> None:
    (machine.root / "etc/rancher/k3s").mkdir(parents=True)
    (machine.root / "etc/rancher/k3s/token").write_text("another\n")
    result = run("k3s_node", **SERVER)
    assert result["same_token"] is False and TOKEN not in json.dumps(result) and "another" not in json.dumps(result)
    assert run("k3s_node", **{**SERVER, "token": "another"})["same_token"]


def test_a_restore_runs_while_no_server_is_named(machine: Machine, run: Run) -> None:
    run("k3s_node", state="started", **SERVER)
    result = run("k3s_node", state="restored", server=True, url=URL, snapshot="/s.db")
    assert result["changed"] and "stop k3s.service" in machine.actions
    assert machine.calls[-1] == (
        "server --cluster-reset --cluster-reset-restore-path=/s.db --etcd-s3=false | cluster-init: true"
    )
    assert machine.part == f"server: {URL}\n"


def test_emptied_takes_the_database_only(machine: Machine, run: Run) -> None:
    run("k3s_node", state="started", **SERVER)
    kept = machine.root / "var/lib/rancher/k3s/server/tls/server-ca.crt"
    kept.parent.mkdir(parents=True)
    kept.write_text("ca")
    assert run("k3s_node", state="emptied", server=True)["state"] == "absent"
    assert kept.exists() and not (machine.root / "var/lib/rancher/k3s/server/db").exists()


def test_absent_removes_k3s_and_nothing_else(machine: Machine, run: Run) -> None:
    run("k3s_node", state="started", **SERVER)
    kept = [machine.root / name for name in ("etc/rancher/node/password", "var/lib/rancher/other/x", "usr/local/bin/x")]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("kept")
    (machine.root / "etc/systemd/system").mkdir(parents=True)
    (machine.root / "etc/systemd/system/k3s.service").write_text("x")
    checked = run("k3s_node", check=True, state="absent", server=True)
    assert "remove /var/lib/rancher/k3s\n" in [one["after"] for one in checked["diff"]]
    assert run("k3s_node", state="absent", server=True)["state"] == "absent"
    assert [path.read_text() for path in kept] == ["kept"] * 3
    for path in ("etc/rancher/k3s", "var/lib/rancher/k3s", "usr/local/bin/k3s", "etc/systemd/system/k3s.service"):
        assert not (machine.root / path).exists(), path
    assert run("k3s_node", state="absent", server=True)["changed"] is False


# The cluster


@pytest.fixture
def cluster(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Three servers of which s3 is dead, as the first of them sees them."""

    def node(name: str) -> dict:
        status = {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": "v1"}}
        return {"metadata": {"name": name}, "spec": {}, "status": status}

    (machine.root / "nodes").write_text(json.dumps({"items": [node(name) for name in ("s1", "s2", "s3")]}))
    monkeypatch.setattr(cluster_client, "members", lambda: ["s1", "s2", "s3"])
    monkeypatch.setattr(cluster_client, "answers", lambda address: address != "3")
    return machine


ADDRESSES = {"s1": "1", "s2": "2", "s3": "3"}


@pytest.mark.parametrize("check", [True, False])
def test_a_removal_that_loses_the_majority_is_refused(cluster: Machine, run: Run, check: bool) -> None:
    result = run("k3s_cluster", check=check, state="removed", node="s1", servers=ADDRESSES)
    assert result["failed"] and result["msg"].startswith("s1: without it only 1 of 2 servers would be alive")
    assert not [call for call in cluster.calls if "delete" in call]


def test_a_dead_server_may_be_forgotten(cluster: Machine, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([["s1", "s2", "s3"], ["s1", "s2"]])
    monkeypatch.setattr(cluster_client, "members", lambda: next(answers))
    assert run("k3s_cluster", state="removed", node="s3", servers=ADDRESSES)["changed"]
    assert [call.partition(" |")[0] for call in cluster.calls][1:] == ["kubectl delete node s3 --ignore-not-found"]


def test_a_drain_that_a_budget_forbids_gives_the_node_back(cluster: Machine, run: Run) -> None:
    result = run("k3s_cluster", state="drained", node="s2", timeout=1)
    assert result["msg"].startswith("s2 could not be drained within 1 s and was uncordoned.")
    verbs = [call.split()[1] for call in cluster.calls]
    assert verbs == ["get", "annotate", "drain", "uncordon", "annotate"]


def test_a_snapshot_is_where_k3s_says(cluster: Machine, run: Run) -> None:
    result = run("k3s_cluster", state="saved", snapshot="edge")
    assert result["snapshot"] == "/var/lib/rancher/k3s/server/db/snapshots/edge-s1-1"


# The stand-in


@pytest.mark.parametrize("kind", ["server", "agent"])
def test_the_stand_in_refuses_what_k3s_does_not_know(tmp_path: Path, kind: str) -> None:
    program = tmp_path / "k3s"
    assert stand_in_k3s.pack(program, "v1.36.4+k3s1") == stand_in_k3s.pack(tmp_path / "same", "v1.36.4+k3s1")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    assert said == "k3s version v1.36.4+k3s1 (00000000)\nk3s stand-in, not k3s\n"
    done = subprocess.run([program, kind, "--flanel-backend=none"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "k3s stand-in, not k3s" in done.stderr
    assert "flag provided but not defined: -flanel-backend" in done.stderr
