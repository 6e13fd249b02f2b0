# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""One fleet with the platform, from nothing to nothing; tests build on one another in this order."""

import base64
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import browser
import host_state
from fleet import ROOT, Fleet, odp, wait_until
from observations import mesh, published, right, well

pytestmark = pytest.mark.e2e
PLATFORM = "playbooks/platform.yml"
VERIFY = "playbooks/verify.yml"
PORT = 8089


@pytest.fixture(scope="module")
def platform(fleet: Fleet) -> Fleet:
    """The fleet with the services of inventories/local."""
    fleet.deliver()
    fleet.build()
    return fleet


def test_check_mode_on_a_virgin_fleet_plans_and_makes_nothing(platform: Fleet, host_before: dict) -> None:
    run = platform.must("site.yml", "--check", "--diff")
    assert run.changes > 0, run.tail()
    for planned in ("/etc/containerd/config.toml", "/etc/systemd/system/kubelet.service"):
        assert planned in run.output, f"{planned} is not in the plan:\n{run.tail()}"
    assert not (platform.state / "kubeconfigs").exists()
    assert host_state.left_behind(host_before) == []


@pytest.mark.timeout(1500)
def test_up_delivers_the_platform(platform: Fleet) -> None:
    run = platform.must(timeout=1200)
    print(f"up with the platform: {run.seconds:.0f} s\n{run.output.splitlines()[-1]}")
    assert "image of Flux notification-controller not available" in run.output
    rows = [line.split() for line in run.output.splitlines() if line.rstrip().endswith("ok")]
    services = {row[0] for row in rows if row[1] == "north"}
    assert {"cilium", "dagster", "garage", "postgres", "sail", "superset"} <= services


def test_up_makes_clusters_without_kube_proxy(platform: Fleet) -> None:
    for cluster in ("north", "south"):
        assert platform.ready(cluster, 1)
        names = platform.kubectl(cluster, "get", "daemonsets", "-A", "-o", "name").split()
        assert names == ["daemonset.apps/cilium"]
        mode = Path(platform.state / "kubeconfigs" / cluster).stat().st_mode & 0o777
        assert mode == 0o600
        assert platform.kubectl(cluster, "config", "current-context").strip() == cluster


def test_secrets_are_encrypted_at_rest(platform: Fleet) -> None:
    platform.kubectl("north", "create", "configmap", "probe", "--from-literal=word=readablemarker")
    platform.kubectl("north", "create", "secret", "generic", "probe", "--from-literal=word=encryptedmarker")
    try:
        # grep ends with 1 where it finds nothing, with 2 where it could not read.
        search = "grep -rl {} /var/lib/etcd || [ $? -eq 1 ]"
        readable, encrypted = (
            platform.ssh("north-1", search.format(f"{word}marker")) for word in ("readable", "encrypted")
        )
    finally:
        platform.kubectl("north", "delete", "configmap/probe", "secret/probe")
    assert readable != "", "this search would not find a Secret that is not encrypted either"
    assert encrypted == ""


def test_flux_took_cilium_over_without_a_restart(platform: Fleet) -> None:
    for cluster in ("north", "south"):
        revision = platform.helm(cluster, "-n", "kube-system", "list", "-o", "json")
        assert json.loads(revision)[0]["revision"] == "2"  # one of helm, one of Flux
        generation = platform.kubectl(
            cluster, "-n", "kube-system", "get", "ds/cilium", "-o", "jsonpath={.metadata.generation}"
        )
        hashes = platform.kubectl(
            cluster, "-n", "kube-system", "get", "controllerrevisions", "-l", "k8s-app=cilium", "-o", "name"
        )
        assert (generation, len(hashes.split())) == ("1", 1)


def test_second_run_changes_nothing_and_writes_nothing(platform: Fleet) -> None:
    before, since = {name: published(platform, name) for name in ("north", "south")}, time.time()
    run = platform.must()
    print(f"no-op with the platform: {run.seconds:.1f} s\n{run.output.splitlines()[-1]}")
    assert run.changes == 0, run.output
    assert {name: published(platform, name) for name in ("north", "south")} == before
    assert platform.mutating_requests("north-1", since) == []
    assert platform.mutating_requests("south-1", since) == []
    planned = platform.must("site.yml", "--check", "--diff")
    assert planned.changes == 0, planned.output


def test_audit_log_shows_mutating_requests(platform: Fleet) -> None:
    since = time.time()
    platform.kubectl("north", "create", "configmap", "probe")
    platform.kubectl("north", "delete", "configmap", "probe")
    assert len(platform.mutating_requests("north-1", since - 1)) >= 2


def test_every_agent_sees_every_peer(platform: Fleet) -> None:
    status = well(platform)
    assert set(status["clusters"]) == {"north", "south"}
    north = status["clusters"]["north"]
    assert north["peers"]["south"]["ready"] and north["peers"]["south"]["nodes"] == 1
    assert status["clusters"]["south"]["peers"]["north"]["nodes"] == 1
    assert north["certificate_days"] > 300


def test_pods_reach_the_other_cluster_and_nothing_is_left(platform: Fleet) -> None:
    code, tested = mesh(platform, "test")
    assert (code, tested["ok"]) == (0, True), tested
    found = sorted((check["cluster"], check["name"]) for check in tested["checks"] if check["ok"])
    assert found == [
        (cluster, mode) for cluster in ("north", "south") for mode in ("all", "fallback", "local", "remote")
    ]
    for cluster in ("north", "south"):
        assert "opendata-mesh-test" not in platform.kubectl(cluster, "get", "namespaces", "-o", "name")


def test_three_alterations_are_three_changes(platform: Fleet) -> None:
    platform.ssh("north-1", "echo '# altered' >> /etc/containerd/certs.d/quay.io/hosts.toml")
    # The file alone: Cilium's agent sets the running kernel right from time to time.
    platform.ssh("south-1", "echo 'net.ipv4.ip_forward = 0' > /etc/sysctl.d/90-opendata-platform.conf")
    platform.ssh("south-1", "systemctl disable -q --now kubelet")
    planned = platform.must("site.yml", "--check", "--diff")
    assert planned.changes == 3, planned.output
    assert platform.must("site.yml", "--diff").changes == 3
    assert platform.must().changes == 0


def test_flux_puts_back_what_a_person_changed(platform: Fleet) -> None:
    container = {"name": "sail", "resources": {"limits": {"memory": "999Mi"}}}
    patch = json.dumps({"spec": {"template": {"spec": {"containers": [container]}}}})
    platform.kubectl("north", "-n", "sail", "patch", "deploy/sail", "-p", patch)
    platform.kubectl("north", "-n", "sail", "delete", "networkpolicy/sail")
    now = f"reconcile.fluxcd.io/requestedAt={time.time()}"
    platform.kubectl("north", "-n", "flux-system", "annotate", "--overwrite", "kustomization/sail", now)
    limit = "{.spec.template.spec.containers[0].resources.limits.memory}"
    get = ("-n", "sail", "get", "deploy/sail", "-o", f"jsonpath={limit}")
    wait_until("Flux repairs the Deployment", lambda: platform.kubectl("north", *get) != "999Mi", 60)
    policy = ("-n", "sail", "get", "networkpolicy/sail", "-o", "name")
    wait_until("Flux recreates the policy", lambda: bool(platform.kubectl("north", *policy, check=False)), 60)
    platform.must(PLATFORM)


def test_the_numbers_of_the_data_path_agree_from_both_clusters(platform: Fleet) -> None:
    run = platform.must(VERIFY, "-e", "data_path_rows=20000", "-e", "data_path_seed=1")
    checks = right(run)
    assert len([line for line in checks if line.startswith("north")]) == 5, run.tail()
    assert len([line for line in checks if line.startswith("south")]) == 2, run.tail()
    left = platform.kubectl("south", "get", "namespaces", "-o", "name")
    assert "data-path" not in left and "garage" not in left


def test_people_reach_dagster_and_superset_through_connect(platform: Fleet, tmp_path: Path) -> None:
    secret = platform.kubectl(
        "north", "-n", "superset", "get", "secret/superset-admin", "-o", "jsonpath={.data.password}"
    )
    command = [sys.executable, "verbs/connect.py", str(platform.directory), "--port", str(PORT)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as tunnel:
        try:
            said = ""
            while "superset.localhost" not in said:
                line = tunnel.stdout.readline()
                assert line, f"connect ended:\n{said}"
                said += line
            password = base64.b64decode(secret).decode()
            assert password not in said
            with browser.browser(90) as tab:
                browser.dagster(tab, f"http://dagster.localhost:{PORT}", "/assets", "daily_fares")
                address = f"http://superset.localhost:{PORT}"
                browser.superset(tab, address, "admin", password, "trips", "19,000", "695,167.40")
                print(tab.page(tmp_path / "superset.png"))
        finally:
            tunnel.terminate()
    assert tunnel.returncode == 0


def test_logs_shows_what_the_pods_of_a_service_say(platform: Fleet) -> None:
    code, said = odp("logs", "sail", "--cluster", "north", "--tail", "20", inventory=platform.directory)
    assert code == 0 and said.strip()


def test_down_leaves_nothing(platform: Fleet, host_before: dict) -> None:
    code, answer = odp("status", str(platform.directory), "--json")
    rows = json.loads(answer)["services"]
    assert code == 0 and rows and all(row["ready"] or row["waiting"] for row in rows), answer
    ended = platform.down()
    assert ended.code == 0, ended.tail()
    left = host_state.left_behind(host_before)
    assert left == [], f"{left}\n{ended.tail()}"
    again = platform.down()
    assert (again.code, again.changes) == (0, 0), again.output
