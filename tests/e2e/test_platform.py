# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Services that are changed, broken, removed, killed and swapped; tests build on one another in this order."""

import base64
import json
import random
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

import git_clones
import git_server
from fleet import ROOT, Fleet, Run, wait_until
from observations import agents, right, set_values, uids

pytestmark = pytest.mark.e2e
PLATFORM = "playbooks/platform.yml"
VERIFY = "playbooks/verify.yml"
# For tests alone: the role that `odp new service` writes.
PROBE = ROOT / "roles/odp_e2e_probe"
# What waits for the role above.
WAITS = {
    "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
    "kind": "Kustomization",
    "metadata": {"name": "odp-e2e-waits", "namespace": "flux-system"},
    "spec": {
        "interval": "5m",
        "path": "./services/odp-e2e-probe",
        "prune": False,
        "sourceRef": {"kind": "OCIRepository", "name": "platform"},
        "dependsOn": [{"name": "odp-e2e-probe"}],
    },
}
SECRETS = ROOT / "tests/fixtures/secrets"


def set_services(fleet: Fleet, *changes: str) -> None:
    """Switch services of north on, or off with a minus before the name."""
    wanted = fleet.inventory["clusters"]["hosts"]["north"]["cluster_services"]
    for change in changes:
        if change.startswith("-"):
            wanted.remove(change[1:])
        else:
            wanted.append(change)
    fleet.write()


@pytest.fixture(scope="module")
def platform(fleet: Fleet) -> Iterator[Fleet]:
    """The fleet with the services of inventories/local, made from nothing."""
    fleet.deliver()
    fleet.build()
    fleet.must(timeout=1200)
    yield fleet
    shutil.rmtree(PROBE, ignore_errors=True)


def test_a_changed_value_is_running_after_sync(platform: Fleet) -> None:
    set_values(platform, sail_values={"memory": "1536Mi"})
    planned = platform.must(PLATFORM, "--check", "--diff")
    assert (
        "memory: 1536Mi" in planned.output and planned.changes == 2
    )  # the artifact, and the source that names its digest
    run = platform.must(PLATFORM)
    print(f"sync of one value: {run.seconds:.1f} s")
    limit = "{.spec.containers[0].resources.limits.memory}"
    pods = platform.kubectl("north", "-n", "sail", "get", "pods", "-o", f"jsonpath={{.items[*]{limit[1:]}")
    assert pods == "1536Mi"
    assert run.changes == 2


def test_a_value_of_cilium_reaches_the_agents_through_flux(platform: Fleet) -> None:
    before = agents(platform, "north")
    set_values(platform, cilium_values={"debug": {"enabled": True}})
    run = platform.must()
    config = platform.kubectl("north", "-n", "kube-system", "get", "cm/cilium-config", "-o", "jsonpath={.data.debug}")
    assert config == "true"
    releases = json.loads(platform.helm("north", "-n", "kube-system", "list", "-o", "json"))
    assert releases[0]["revision"] == "3"
    assert not agents(platform, "north") & before
    assert run.changes == 2, run.tail()  # the values' ConfigMap of each cluster
    assert platform.must().changes == 0


def test_a_new_service_runs_and_what_breaks_it_is_named(platform: Fleet) -> None:
    done = subprocess.run(
        [sys.executable, "verbs/new.py", "service", "odp-e2e-probe"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    set_services(platform, "odp_e2e_probe")
    platform.must(PLATFORM)
    others = {name: uids(platform, "north", name, f"app.kubernetes.io/name={name}") for name in ("sail", "garage")}
    template = PROBE / "templates/odp_e2e_probe.yml.j2"
    whole = template.read_text()
    faults = {
        "ImagePull": whole.replace("{{ service.images.testserver }}", "ghcr.io/opendata/none:1.0"),
        "container odp-e2e-probe: (CrashLoopBackOff|ended with)": whole.replace(
            'args: [serve, ":8080", odp-e2e-probe]', "args: [nonsense]"
        ),
        "dry-run failed": whole.replace("replicas: {{ values.replicas }}", "replicas: none-at-all"),
    }
    for words, text in faults.items():
        assert text != whole, words
        template.write_text(text)
        run = platform.play(PLATFORM, "-e", "flux_wait_timeout=25")
        assert run.code != 0, run.tail()
        assert "odp-e2e-probe" in run.output and re.search(words, run.output), run.tail()
        platform.kubectl("north", "apply", "-f", "-", manifests=[WAITS])
    platform.kubectl("north", "delete", "-f", "-", manifests=[WAITS])
    for name, pods in others.items():
        assert uids(platform, "north", name, f"app.kubernetes.io/name={name}") == pods
    template.write_text(whole)
    platform.must(PLATFORM)
    words = "Kustomization flux-system/odp-e2e-waits waits for Kustomization flux-system/odp-e2e-probe: dependency"
    assert words in run.output, run.tail()


def test_a_removed_service_is_pruned_and_its_data_kept(platform: Fleet) -> None:
    template = PROBE / "templates/odp_e2e_probe.yml.j2"
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    template.write_text(f"{template.read_text()}\n---\n{yaml.safe_dump(claim)}")
    # A claim that no pod uses is never bound, which nobody shall wait for here.
    platform.play(PLATFORM, "-e", "flux_wait_timeout=15")
    set_services(platform, "-odp_e2e_probe")
    platform.must(PLATFORM)
    get = ("-n", "odp-e2e-probe", "get")
    gone = lambda: not platform.kubectl("north", *get, "deploy", "-o", "name")  # noqa: E731
    wait_until("the Deployment is pruned", gone, 60)
    assert platform.kubectl("north", *get, "pvc", "-o", "name") == "persistentvolumeclaim/data\n"
    platform.kubectl("north", "delete", "namespace", "odp-e2e-probe")


def kills(fleet: Fleet) -> dict[str, Callable[[], object]]:
    """What may die in the middle of the data path."""

    def pods(namespace: str, selector: str) -> Callable[[], object]:
        command = ("-n", namespace, "delete", "pods", "-l", selector, "--grace-period=0", "--force", "--wait=false")
        return lambda: fleet.kubectl("north", *command)

    name = "app.kubernetes.io/name="
    return {
        "the object store": pods("garage", f"{name}garage"),
        "PostgreSQL": pods("postgres", f"{name}postgres"),
        "Sail": pods("sail", f"{name}sail"),
        "the run": pods("dagster", "dagster/run-id"),
        "source-controller": pods("flux-system", "app=source-controller"),
    }


def disturbed(fleet: Fleet, arguments: tuple[str, ...], step: str, kill: Callable[[], object]) -> Run:
    """A run of the data path, in which something dies while a step of it is under way."""
    jobs = ("-n", "dagster", "get", "jobs", "-o", "name")
    before = set(fleet.kubectl("north", *jobs).split())
    ended: list[Run] = []
    thread = threading.Thread(target=lambda: ended.append(fleet.play(VERIFY, *arguments)))
    thread.start()
    made = lambda: {*fleet.kubectl("north", *jobs).split()} - before  # noqa: E731
    wait_until("a run has started", lambda: bool(ended or made()), 90)
    assert not ended, ended[0].tail()
    (job,) = made()
    logs = lambda: fleet.kubectl("north", "-n", "dagster", "logs", job, check=False)  # noqa: E731
    wait_until(f"step {step} has started", lambda: f"{step} - STEP_START" in logs(), 90)
    kill()
    succeeded = fleet.kubectl("north", "-n", "dagster", "get", job, "-o", "jsonpath={.status.succeeded}")
    assert succeeded == "", f"the run had ended before: more rows, or a step before {step}"
    thread.join()
    return ended[0]


@pytest.mark.timeout(1800)
def test_a_rerun_recovers_from_what_dies_in_the_middle(platform: Fleet) -> None:
    for number, (what, kill) in enumerate(kills(platform).items()):
        settings = ("-e", f"data_path_rows={300000 + number}", "-e", "data_path_wait_timeout=300")
        arguments = (*settings, "--limit", "north")
        run = disturbed(platform, arguments, ("checked_trips", "raw_trips")[number % 2], kill)
        print(f"{what} died: exit code {run.code} after {run.seconds:.0f} s")
        platform.must(PLATFORM)
        # What ended right by itself needs no rerun.
        assert len(right(run if run.code == 0 else platform.must(VERIFY, *arguments))) == 5


def test_verify_leaves_what_was_there_before(platform: Fleet) -> None:
    # As a store leaves it that was switched off: its data is kept.
    platform.kubectl("south", "create", "namespace", "garage")
    right(platform.must(VERIFY, "-e", "data_path_rows=20000", "-e", "data_path_seed=1"))
    assert platform.kubectl("south", "-n", "garage", "get", "services", "-o", "name") == ""
    platform.kubectl("south", "delete", "namespace", "garage")


def test_cilium_is_taken_back_when_flux_cannot_work(platform: Fleet) -> None:
    platform.kubectl("north", "-n", "flux-system", "scale", "deploy", "--all", "--replicas=0")
    set_values(platform, cilium_values={"debug": {"enabled": False}})
    stuck = platform.play("playbooks/network.yml", "--limit", "north", "-e", "cilium_wait_timeout=20")
    assert stuck.code != 0 and "./odp rescue" in stuck.output, stuck.tail()
    platform.must("playbooks/rescue.yml", "--limit", "north")
    config = ("-n", "kube-system", "get", "cm/cilium-config", "-o", "jsonpath={.data.debug}")
    assert platform.kubectl("north", *config) == "false"
    run = platform.must()
    assert run.changes > 0
    suspended = platform.kubectl("north", "-n", "kube-system", "get", "hr/cilium", "-o", "jsonpath={.spec.suspend}")
    assert suspended == ""
    assert platform.must().changes == 0


def test_killed_in_the_new_stages_it_ends_well(platform: Fleet) -> None:
    chance = random.Random(7)
    set_values(platform, sail_values={"memory": "1Gi"})
    for stage, tasks in (("gitops", 5), ("platform", 14)):
        print("killed at", platform.kill_in(stage, chance, tasks) or f"nothing: {stage} ended before")
    platform.must()
    assert platform.must().changes == 0


def test_the_tree_can_come_from_git(platform: Fleet, tmp_path: Path) -> None:
    origin = git_clones.bare(tmp_path / "repositories/fleet.git")
    clone = git_clones.Clone(tmp_path / "clone", origin).push_first()
    clone.write("README.md", "not committed\n")
    before = {name: uids(platform, "north", name, f"app.kubernetes.io/name={name}") for name in ("sail", "garage")}
    with git_server.serve(origin.parent, f"{platform.network}.1") as url:
        where = {"platform_git_url": f"{url}/fleet.git", "platform_git_directory": str(clone.place)}
        set_values(platform, platform_source="git", **where)
        planned = platform.must(PLATFORM, "--check", "--diff")
        assert "platform/cilium.yaml" in planned.output and clone.git("log", "--format=%s") == "Write README.md"
        platform.must(PLATFORM)
        assert clone.git("log", "--format=%s").splitlines()[:2] == ["Deliver e2e/south", "Deliver e2e/north"]
        assert (
            "platform/dagster.yaml" in clone.names("clusters/e2e/north") and clone.state()["status"] == " M README.md"
        )
        field = ("-o", "jsonpath={.status.lastAppliedRevision}")
        applied = platform.kubectl("south", "-n", "flux-system", "get", "kustomization/platform", *field)
        assert applied == f"main@sha1:{clone.state()['remote']}"
        assert platform.kubectl("north", "-n", "flux-system", "get", "ocirepositories", "-o", "name") == ""
        assert platform.must(PLATFORM).changes == 0
        for name, pods in before.items():
            assert uids(platform, "north", name, f"app.kubernetes.io/name={name}") == pods

        (platform.directory / "secrets").mkdir()
        shutil.copy(SECRETS / "warehouse.sops.yaml", platform.directory / "secrets")
        refused = platform.play(PLATFORM)
        assert refused.code != 0 and "there is no age key to decrypt them" in refused.output, refused.tail()
        shutil.copy(SECRETS / "only-for-tests.age.key", platform.state / "age.key")
        platform.must(PLATFORM)
        password = platform.kubectl("south", "get", "secret/warehouse", "-o", "jsonpath={.data.password}")
        assert base64.b64decode(password) == b"only-for-tests"
    (platform.state / "age.key").unlink()
    shutil.rmtree(platform.directory / "secrets")
    set_values(platform, platform_source="oci")
    platform.must(PLATFORM)
    assert platform.must(PLATFORM).changes == 0


def test_the_object_store_is_swapped_by_one_variable(platform: Fleet) -> None:
    set_values(platform, platform_object_store="minio")
    set_services(platform, "-garage", "minio")
    platform.must(timeout=1200)
    assert len(right(platform.must(VERIFY))) == 7
    assert platform.kubectl("north", "-n", "garage", "get", "pods,deployments,statefulsets", "-o", "name") == ""
    assert "persistentvolumeclaim/" in platform.kubectl("north", "-n", "garage", "get", "pvc", "-o", "name")
