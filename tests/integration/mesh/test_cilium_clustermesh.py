# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module cilium_clustermesh against a real API server; what it wrote is read from the server's audit log."""

import base64
import json
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import ApiError, Cluster
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.module import ClusterModule
from ansible_collections.opendata.platform.plugins.module_utils.mesh.peers.steps import Step, contents
from ansible_collections.opendata.platform.plugins.module_utils.mesh.peers.write import Writer

from api_server import ApiServer
from repository import TESTS

pytestmark = pytest.mark.usefixtures("daemon_sets")

Run = Callable[..., dict[str, Any]]
AGENT, KVSTORE, USERS = "cilium-clustermesh", "cilium-kvstoremesh", "clustermesh-remote-users"
SOUTH = {"name": "south", "id": 2, "endpoint": {"ips": ["192.0.2.2"], "port": 32379}}
WEST = {"name": "west", "id": 3, "endpoint": {"address": "mesh.west.example.org"}}
NORTH = {"name": "north", "id": 1, "endpoint": {"ips": ["192.0.2.1"]}}
MESH = [NORTH, SOUTH, WEST]


def workload(kind: str, name: str, *images: str) -> dict[str, Any]:
    """A DaemonSet or Deployment with one container for each image, named as the image."""
    containers = [{"name": image.partition(":")[0], "image": f"quay.io/cilium/{image}"} for image in images]
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers}}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


class Mesh:
    """One namespace that looks to the module like a cluster with Cilium, as Helm would have installed it."""

    def __init__(self, server: ApiServer, run: Run, version: str = "1.20.2", **config: str) -> None:
        self.server, self.run = server, run
        self.namespace = f"mesh-{uuid.uuid4().hex[:8]}"
        self.cluster = Cluster(str(server.kubeconfig))
        self.options = {"kubeconfig": str(server.kubeconfig), "namespace": self.namespace}
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        data = {"cluster-name": "north", "cluster-id": "1", **config}
        self.apply(space, {"kind": "ConfigMap", "metadata": {"name": "cilium-config"}, "data": data})
        self.apply(workload("DaemonSet", "cilium", f"cilium:v{version}"))
        self.apply(workload("Deployment", "clustermesh-apiserver", "apiserver:x", "kvstoremesh:x"))

    def apply(self, *manifests: dict[str, Any], manager: str = "helm") -> None:
        placed = [{"apiVersion": "v1", **item} for item in manifests]
        for item in placed:
            if item["kind"] != "Namespace":
                item["metadata"]["namespace"] = self.namespace
        result = self.run("k8s_apply", kubeconfig=self.options["kubeconfig"], manifests=placed, field_manager=manager)
        assert "failed" not in result, result

    def connect(self, *peers: dict[str, Any], check: bool = False, **more: Any) -> dict[str, Any]:
        return self.run("cilium_clustermesh", check=check, peers=list(peers), **{**self.options, **more})

    def path(self, name: str) -> str:
        plural = {USERS: "api/v1/{}/configmaps", "clustermesh-apiserver": "apis/apps/v1/{}/deployments"}
        plural = plural.get(name, "api/v1/{}/secrets").format(f"namespaces/{self.namespace}")
        return f"/{plural}/{name}"

    def patch(self, name: str, body: dict[str, Any], manager: str = "kubectl-edit", below: str = "") -> None:
        query, kind = {"fieldManager": manager}, "application/merge-patch+json"
        self.cluster.request("PATCH", self.path(name) + below, query, body, content_type=kind)

    def state(self) -> dict[str, dict[str, bytes]]:
        return {name: contents(self.cluster.get(self.path(name))) for name in (AGENT, KVSTORE, USERS)}

    def writes(self) -> list[str]:
        found = [line.rpartition("/")[2] for line in self.server.writes() if f"/{self.namespace}/" in line]
        return [line.partition("?")[0] for line in found]


@pytest.fixture
def mesh(server: ApiServer, run: Run) -> Mesh:
    return Mesh(server, run)


def actions(result: dict[str, Any]) -> dict[str, str]:
    assert "failed" not in result, result["msg"]
    return {name: each["action"] for name, each in result["peers"].items()}


def b64(text: bytes) -> str:
    return base64.b64encode(text).decode()


def test_a_second_run_writes_nothing(mesh: Mesh) -> None:
    before = len(mesh.writes())
    first = mesh.connect(*MESH, name="north", id=1)
    assert actions(first) == {"north": "self", "south": "created", "west": "created"}
    assert (first["changed"], first["restarted"], first["rolled_back"]) == (True, [], False)
    assert first["peers"]["south"]["endpoint"] == ["https://south.mesh.cilium.io:32379"]
    assert mesh.writes()[before:] == [USERS, KVSTORE, AGENT]
    second = mesh.connect(*MESH[::-1], name="north", id=1, purge=True)
    assert (second["changed"], second["diff"]) == (False, [])
    assert actions(second) == {"north": "self", "south": "unchanged", "west": "unchanged"}
    assert len(mesh.writes()) == before + 3


def test_check_mode_says_the_same_and_writes_nothing(mesh: Mesh) -> None:
    before = mesh.writes()
    planned = mesh.connect(*MESH, check=True)
    assert mesh.writes() == before and mesh.state()[AGENT] == {}
    done = mesh.connect(*MESH)
    assert {key: planned[key] for key in ("changed", "peers", "diff")} == {
        key: done[key] for key in ("changed", "peers", "diff")
    }


def test_a_removal_needs_no_peer_and_no_mesh_of_its_own(mesh: Mesh) -> None:
    mesh.connect(*MESH)
    mesh.cluster.request("DELETE", mesh.path("clustermesh-apiserver"))
    before = len(mesh.writes())
    result = mesh.connect({"name": "west"}, state="absent")
    assert actions(result) == {"west": "removed"}
    assert mesh.writes()[before:] == [AGENT, KVSTORE, USERS]
    assert mesh.state()[KVSTORE].keys() == {"south"}
    assert mesh.connect({"name": "west"}, state="absent")["changed"] is False


def test_joining_again_at_once_is_warned_of(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(ClusterModule, "warn", lambda _self, text: said.append(text))
    mesh.connect(*MESH)
    mesh.connect(NORTH, SOUTH, purge=True)
    assert said == ["drain grace period of KVStoreMesh for west: do not add it again within 180 s"]
    mesh.connect(*MESH)
    assert len(said) == 2 and said[1].startswith(
        "peer 'west' joins again during the drain grace period of KVStoreMesh: it may take 1"
    )
    assert mesh.connect(*MESH)["changed"] is False


def test_keys_of_others_stay(mesh: Mesh) -> None:
    mesh.apply({"kind": "Secret", "metadata": {"name": AGENT}, "data": {"note": b64(b"x")}})
    mesh.patch(AGENT, {"data": {"east": b64(b"endpoints: [https://east:2379]")}})
    mesh.connect(*MESH)
    mesh.connect({"name": "south"}, {"name": "west"}, state="absent")
    assert mesh.state()[AGENT] == {"note": b"x", "east": b"endpoints: [https://east:2379]"}


def test_an_entry_that_helm_wrote_with_equal_meaning_is_adopted_without_a_write(server: ApiServer, run: Run) -> None:
    golden = TESTS / "golden/files/mesh/1.20.2-mesh.yml"
    mesh = Mesh(server, run)
    mesh.apply(*yaml.safe_load_all(golden.read_text()))
    before = mesh.writes()
    west = {**WEST, "endpoint": {"address": "mesh.west.example.org", "port": 2379}}
    south = {**SOUTH, "endpoint": {"ips": ["203.0.113.11", "203.0.113.10"], "port": 32379}}
    # The golden file was rendered for kube-system, where the agents' Service is.
    for name, content in mesh.state()[AGENT].items():
        mesh.patch(AGENT, {"data": {name: b64(content.replace(b"kube-system", mesh.namespace.encode()))}}, "helm")
    before = mesh.writes()
    result = mesh.connect(south, west)
    assert actions(result) == {"south": "unchanged", "west": "unchanged"}
    assert (result["changed"], mesh.writes()) == (False, before)


REFUSAL = (
    "Cluster 'north' stays as it is: key 'south' of Secret cilium-clustermesh is managed by {}; "
    "set clustermesh.config.enabled=false or force_conflicts=true."
)


def test_a_key_of_another_manager_is_refused_before_any_write(mesh: Mesh) -> None:
    mesh.apply({"kind": "Secret", "metadata": {"name": AGENT}, "data": {"south": b64(b"endpoints: [x]")}})
    before = mesh.writes()
    assert mesh.connect(*MESH)["msg"] == REFUSAL.format("helm")
    assert mesh.connect(*MESH, check=True)["msg"] == REFUSAL.format("helm")
    assert mesh.writes() == before
    assert actions(mesh.connect(*MESH, force_conflicts=True))["south"] == "updated"
    assert mesh.connect(*MESH)["changed"] is False


def test_a_key_altered_by_hand_names_its_manager_and_is_repaired_by_force(mesh: Mesh) -> None:
    mesh.connect(*MESH)
    wanted = mesh.state()
    mesh.patch(AGENT, {"data": {"south": b64(b"endpoints: [https://elsewhere:1]")}})
    assert mesh.connect(*MESH)["msg"] == REFUSAL.format("kubectl-edit")
    assert actions(mesh.connect(*MESH, force_conflicts=True)) == {
        "north": "self",
        "south": "updated",
        "west": "unchanged",
    }
    assert mesh.state() == wanted


def test_a_key_of_another_manager_is_removed_by_force(mesh: Mesh) -> None:
    mesh.apply({"kind": "Secret", "metadata": {"name": AGENT}, "data": {"south": b64(b"endpoints: [x]")}})
    assert mesh.connect({"name": "south"}, state="absent")["msg"] == REFUSAL.format("helm")
    assert actions(mesh.connect({"name": "south"}, state="absent", force_conflicts=True)) == {"south": "removed"}
    assert mesh.state()[AGENT] == {}


@pytest.mark.parametrize("name", [AGENT, KVSTORE, USERS])
def test_what_was_deleted_is_recreated(mesh: Mesh, name: str) -> None:
    mesh.connect(*MESH)
    wanted, before = mesh.state(), len(mesh.writes())
    key = "users.yaml" if name == USERS else "south"
    mesh.patch(name, {"data": {key: None}})
    result = mesh.connect(*MESH)
    assert actions(result)["south"] == "updated"
    assert (mesh.state(), mesh.writes()[before + 1 :]) == (wanted, [name])
    mesh.cluster.request("DELETE", mesh.path(name))
    mesh.connect(*MESH)
    assert mesh.state() == wanted


@pytest.fixture
def restricted(mesh: Mesh, tmp_path: Path) -> str:
    """A kubeconfig whose user may do all that is needed but write Secret cilium-clustermesh."""
    space = f"/namespaces/{mesh.namespace}"
    mesh.apply({"kind": "ServiceAccount", "metadata": {"name": "limited"}})
    names = [KVSTORE, USERS]
    rules = [
        {"apiGroups": ["", "apps"], "resources": ["*"], "verbs": ["get", "list", "create"]},
        {"apiGroups": [""], "resources": ["*"], "resourceNames": names, "verbs": ["patch", "delete"]},
    ]
    role = {"kind": "Role", "metadata": {"name": "limited"}, "rules": rules}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "limited"}
    subject = {"kind": "ServiceAccount", "name": "limited", "namespace": mesh.namespace}
    binding = {"kind": "RoleBinding", "metadata": {"name": "limited"}, "roleRef": reference, "subjects": [subject]}
    mesh.apply(*[{"apiVersion": "rbac.authorization.k8s.io/v1", **item} for item in (role, binding)])
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    answer = mesh.cluster.request("POST", f"/api/v1{space}/serviceaccounts/limited/token", {}, request)
    config = yaml.safe_load(mesh.server.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": answer["status"]["token"]}
    (tmp_path / "restricted").write_text(yaml.safe_dump(config))
    return str(tmp_path / "restricted")


FORBIDDEN = "Secret cilium-clustermesh in namespace {} cannot be written: PATCH /api/v1/namespaces/{}/secrets/"


def test_a_failed_write_sets_back_those_before_it(mesh: Mesh, restricted: str) -> None:
    result = mesh.connect(*MESH, kubeconfig=restricted)
    assert result["msg"].startswith(FORBIDDEN.format(mesh.namespace, mesh.namespace))
    assert "is forbidden" in result["msg"] and result["msg"].endswith("; the earlier writes are rolled back.")
    assert (result["failed"], result["rolled_back"]) == (True, True)
    assert [mesh.cluster.get(mesh.path(name)) for name in (KVSTORE, USERS, AGENT)] == [None, None, None]


def test_what_is_set_back_is_what_was_there(mesh: Mesh, restricted: str) -> None:
    mesh.connect(NORTH, SOUTH)
    before = mesh.state()
    moved = {**SOUTH, "endpoint": {"ips": ["192.0.2.22"], "port": 32379}}
    result = mesh.connect(NORTH, moved, WEST, kubeconfig=restricted)
    assert (result["rolled_back"], mesh.state()) == (True, before)
    assert mesh.connect(NORTH, SOUTH)["changed"] is False


def test_without_rollback_the_next_run_completes(mesh: Mesh, restricted: str) -> None:
    result = mesh.connect(*MESH, kubeconfig=restricted, rollback="never")
    assert result["msg"].endswith("; the earlier writes are kept, and the next run completes them.")
    assert result["rolled_back"] is False and mesh.state()[KVSTORE].keys() == {"south", "west"}
    assert actions(mesh.connect(*MESH)) == {"north": "self", "south": "updated", "west": "updated"}


def test_check_mode_sees_missing_rights(mesh: Mesh, restricted: str) -> None:
    result = mesh.connect(*MESH, kubeconfig=restricted, check=True)
    assert result["msg"].startswith(FORBIDDEN.format(mesh.namespace, mesh.namespace))
    assert result["msg"].endswith("; nothing was changed.")


@pytest.mark.parametrize("before", [[], [NORTH, SOUTH]])
def test_what_others_changed_meanwhile_is_not_set_back(
    mesh: Mesh, restricted: str, monkeypatch: pytest.MonkeyPatch, before: list[dict[str, Any]]
) -> None:
    mesh.connect(*before)
    real = Cluster.request

    def meddled(self: Cluster, method: str, path: str, *rest: Any, **more: Any) -> Any:
        if method == "PATCH" and path.endswith(AGENT):
            monkeypatch.setattr(Cluster, "request", real)
            mesh.patch(KVSTORE, {"metadata": {"labels": {"by": "hand"}}})
        return real(self, method, path, *rest, **more)

    monkeypatch.setattr(Cluster, "request", meddled)
    result = mesh.connect(*MESH, kubeconfig=restricted)
    assert result["rolled_back"] is False
    assert "Secret cilium-kvstoremesh cannot be rolled back: " in result["msg"]
    assert result["msg"].endswith("; the next run repairs it.")


def test_an_object_that_was_written_twice_is_set_back_in_reverse(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    mesh.connect(NORTH, SOUTH)
    before, real, sent = mesh.state(), Writer._send, []

    def stand_in_for_a_refusal(self: Writer, step: Step) -> dict[str, Any]:
        sent.append(step.name)
        if len(sent) == 5:
            raise ApiError(403, {"message": "no"}, "PATCH")
        return real(self, step)

    monkeypatch.setattr(Writer, "_send", stand_in_for_a_refusal)
    result = mesh.connect(NORTH, WEST, purge=True)
    assert (sent, result["rolled_back"]) == ([AGENT, KVSTORE, USERS, KVSTORE, AGENT], True)
    assert mesh.state() == before


KILLED = """
import json, os, signal, sys
import conftest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.opendata.platform.plugins.module_utils.mesh.peers.write import Writer
from ansible_collections.opendata.platform.plugins.modules import cilium_clustermesh
left, real = int(sys.argv[1]), Writer._send
def send(self, step):
    global left
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return real(self, step)
Writer._send = send
with patch_module_args(json.loads(sys.argv[2])):
    cilium_clustermesh.main()
"""


@pytest.mark.parametrize("writes", [1, 2])
def test_a_killed_run_is_healed_by_the_next(server: ApiServer, run: Run, writes: int) -> None:
    disturbed, calm = Mesh(server, run), Mesh(server, run)
    for mesh in (disturbed, calm):
        mesh.connect(NORTH, SOUTH)
    before = len(disturbed.writes())
    arguments = json.dumps({**disturbed.options, "peers": MESH})
    command = [sys.executable, "-c", KILLED, str(writes), arguments]
    tests = TESTS
    killed = subprocess.run(command, cwd=tests, capture_output=True, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert len(disturbed.writes()) == before + writes
    assert "failed" not in disturbed.connect(*MESH)
    calm.connect(*MESH)
    other, own = calm.namespace.encode(), disturbed.namespace.encode()
    calm_state = {
        name: {key: value.replace(other, own) for key, value in data.items()} for name, data in calm.state().items()
    }
    assert disturbed.state() == calm_state
    assert disturbed.connect(*MESH)["changed"] is False


def test_a_swapped_kubeconfig_is_refused(mesh: Mesh) -> None:
    words = "expected cluster 'south' (id 2) behind context test, found 'north' (id 1): check kubeconfig {}."
    result = mesh.connect(*MESH, name="south", id=2, context="test")
    assert result["msg"] == words.format(mesh.server.kubeconfig)
    listed = mesh.connect({**NORTH, "id": 9}, SOUTH)
    assert listed["msg"].startswith("expected cluster 'north' (id 9) behind context current, found 'north' (id 1)")
    assert mesh.state()[AGENT] == {}


def test_an_empty_list_purges_nothing_unless_allowed(mesh: Mesh) -> None:
    mesh.connect(*MESH)
    words = "purge with an empty peers list would disconnect everything; set allow_empty=true"
    assert mesh.connect(purge=True)["findings"] == [words]
    assert mesh.connect(NORTH, purge=True)["findings"] == [words]
    assert actions(mesh.connect(purge=True, allow_empty=True)) == {"south": "removed", "west": "removed"}
    assert mesh.connect(NORTH, purge=True)["changed"] is False


def test_all_faults_are_reported_at_once(mesh: Mesh) -> None:
    result = mesh.connect({**SOUTH, "endpoint": {}}, {"name": "West", "id": 3})
    assert len(result["findings"]) == 2
    assert result["msg"].startswith("These peers cannot be connected: peer 'south': it has no endpoint: give endpoint.")
    words = "purge requires state=present: list the peers to keep"
    assert mesh.connect({"name": "south"}, state="absent", purge=True)["findings"] == [words]


def test_a_cluster_without_cilium_is_planned_in_check_mode_and_refused_else(mesh: Mesh, tmp_path: Path) -> None:
    elsewhere = {"namespace": "default"}
    result = mesh.connect(*MESH, **elsewhere)
    assert result["msg"] == (
        f"ConfigMap cilium-config is missing in namespace default of {mesh.cluster.host}: install Cilium first."
    )
    planned = {"north": "self", "south": "created", "west": "created"}
    assert actions(mesh.connect(*MESH, name="north", check=True, **elsewhere)) == planned
    absent = str(tmp_path / "kubeconfig")
    assert actions(mesh.connect(*MESH, name="north", check=True, kubeconfig=absent)) == planned


def test_a_cluster_without_mesh_says_what_it_lacks(server: ApiServer, run: Run) -> None:
    mesh = Mesh(server, run, version="")
    mesh.cluster.request("DELETE", mesh.path("clustermesh-apiserver"))
    where = f"in namespace {mesh.namespace}"
    assert mesh.connect(*MESH)["msg"] == (
        f"Cluster 'north' cannot be connected yet: Deployment clustermesh-apiserver is missing {where}: "
        "set clustermesh.useAPIServer=true first; "
        f"DaemonSet cilium {where} has no image with a version in its tag (v1.20.2)."
    )
    assert actions(mesh.connect(*MESH, name="north", check=True))["south"] == "created"


def pods_of(mesh: Mesh) -> dict[str, Any]:
    found = mesh.cluster.get(mesh.path("clustermesh-apiserver"))
    assert found
    return found["spec"]["template"]


def test_aliases_restart_old_versions_only_and_other_annotations_stay(server: ApiServer, run: Run) -> None:
    mesh = Mesh(server, run, version="1.19.6")
    noted = {"spec": {"template": {"metadata": {"annotations": {"noted": "x"}}}}}
    # As cilium_clustermesh_certs notes for which CA it restarted the pods.
    mesh.patch("clustermesh-apiserver", noted, "cilium-clustermesh-ansible")
    result = mesh.connect(*MESH, wait=False)
    assert result["restarted"] == ["Deployment clustermesh-apiserver"]
    assert pods_of(mesh)["spec"]["hostAliases"] == [{"ip": "192.0.2.2", "hostnames": ["south.mesh.cilium.io"]}]
    assert pods_of(mesh)["metadata"]["annotations"] == {"noted": "x"}
    assert mesh.connect(*MESH)["changed"] is False
    mesh.connect(NORTH, WEST, purge=True, wait=False)
    assert "hostAliases" not in pods_of(mesh)["spec"] and len(pods_of(mesh)["spec"]["containers"]) == 2


def test_the_rollout_is_waited_for(server: ApiServer, run: Run) -> None:
    mesh = Mesh(server, run, version="1.19.6")
    late = mesh.connect(*MESH, wait_timeout=1)
    assert late["msg"] == "clustermesh-apiserver: its last change has not been taken up, after 1 s."
    moved = {**SOUTH, "endpoint": {"ips": ["192.0.2.3"], "port": 32379}}
    stop = threading.Event()

    def stand_in_for_controller() -> None:
        while not stop.wait(0.1):
            found = mesh.cluster.get(mesh.path("clustermesh-apiserver")) or {}
            numbers = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas", "readyReplicas"), 1)
            status = {"observedGeneration": found["metadata"]["generation"], **numbers}
            mesh.patch("clustermesh-apiserver", {"status": status}, below="/status")

    thread = threading.Thread(target=stand_in_for_controller)
    thread.start()
    try:
        assert actions(mesh.connect(NORTH, moved, WEST, wait_timeout=30))["south"] == "updated"
    finally:
        stop.set()
        thread.join()
