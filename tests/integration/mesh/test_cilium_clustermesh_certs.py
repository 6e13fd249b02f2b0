# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module cilium_clustermesh_certs against a real API server; what it wrote is read from the server's audit log.

No kubelet and no controller run: StandInController says what they would say of a Deployment.
"""

import base64
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import Cluster
from ansible_collections.opendata.platform.plugins.module_utils.mesh.chart import LEAFS, MANAGER
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki import certificates as certs
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki import secrets as trust
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki import secrets_client as trust_client
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki.certificates import Pair, make_authority

from api_server import ApiServer

Objects = dict[str, Any]
Run = Callable[..., Objects]
OLD, NEW = (make_authority("Cilium CA", 3650, datetime.now(UTC)) for _ in range(2))
BOTH = OLD.cert + NEW.cert
SERVER = LEAFS["server"]


@pytest.fixture
def cluster(server: ApiServer) -> Cluster:
    return Cluster(str(server.kubeconfig))


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    """A namespace stands for a cluster: nothing of Cilium is in it yet."""
    name = f"mesh-{uuid.uuid4().hex[:8]}"
    cluster.request("POST", "/api/v1/namespaces", body={"metadata": {"name": name}})
    return name


@pytest.fixture
def call(run: Run, server: ApiServer, namespace: str) -> Run:
    """call(...) -> the module's result for cluster north with the old CA."""

    def certs_module(check: bool = False, ca: Pair = OLD, **more: Any) -> Objects:
        wanted = {"kubeconfig": str(server.kubeconfig), "namespace": namespace, "name": "north"}
        wanted |= {"ca_cert": ca.cert, "ca_key": ca.key, **more}
        done = run("cilium_clustermesh_certs", check=check, **wanted, _ansible_inject_invocation=True)
        for pair in (OLD, NEW):
            assert pair.key.split("\n")[1] not in str(done), "no key in any result"
        assert done["invocation"] and "PRIVATE KEY" not in str(done)
        return done

    return certs_module


@pytest.fixture
def secret(cluster: Cluster, namespace: str) -> Callable[[str], Objects]:
    def get(name: str = SERVER) -> Objects:
        found = cluster.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
        assert found, name
        return found

    return get


class StandInController:
    """Says that the Deployment's newest pods are available, as a controller and a kubelet would; not at once."""

    def __init__(self, cluster: Cluster, path: str) -> None:
        self.cluster, self.path, self.over = cluster, path, threading.Event()
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self) -> None:
        while not self.over.wait(0.2):
            live = self.cluster.get(self.path)
            if live and (live.get("status") or {}).get("observedGeneration") != live["metadata"]["generation"]:
                counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
                status = {"status": {"observedGeneration": live["metadata"]["generation"], **counts}}
                content = "application/merge-patch+json"
                self.cluster.request("PATCH", f"{self.path}/status", {}, status, content_type=content)


@pytest.fixture
def install(cluster: Cluster, namespace: str) -> Iterator[Callable[..., Objects]]:
    """install() -> Cilium's Deployment runs; install(controller=False) -> its pods never become ready again."""
    running: list[StandInController] = []
    listing = f"/apis/apps/v1/namespaces/{namespace}/deployments"

    def make(controller: bool = True) -> Objects:
        pod = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "etcd", "image": "x"}]}}
        spec = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": pod}
        deployment = {"metadata": {"name": "clustermesh-apiserver"}, "spec": spec}
        cluster.request("POST", listing, body=deployment)
        if controller:
            running.append(StandInController(cluster, f"{listing}/clustermesh-apiserver"))
        well, found = cluster.wait(listing, trust.rolled_out, 10 if controller else 0)
        assert well is controller
        return found[0]

    yield make
    for each in running:
        each.over.set()
        each.thread.join(10)


def leaf(found: Objects) -> Any:
    return certs.certificates(trust.decoded(found, "tls.crt"))[0]


def test_four_leafs_and_the_users_before_the_install(
    call: Run, cluster: Cluster, namespace: str, secret: Callable[..., Objects]
) -> None:
    done = call(remote_users=["south", "north"], server_sans=["203.0.113.7"])
    assert done["changed"] and not done["restarted"]
    assert {role: each["action"] for role, each in done["leafs"].items()} == dict.fromkeys(LEAFS, "issued")
    assert done["ca_fingerprints"] == certs.fingerprints(OLD.cert)
    for role, name in LEAFS.items():
        found = secret(name)
        assert found["type"] == "kubernetes.io/tls" and "annotations" not in found["metadata"]
        assert certs.issued_by(leaf(found), certs.certificates(OLD.cert)[0])
        assert certs.match(leaf(found), trust.decoded(found, "tls.key"))
        assert trust.decoded(found, "ca.crt") == OLD.cert
        assert done["leafs"][role]["sha256"] == certs.fingerprint(leaf(found))
        assert {each["manager"] for each in found["metadata"]["managedFields"]} == {MANAGER}
    assert "203.0.113.7" in done["leafs"]["server"]["sans"]
    users = cluster.get(f"/api/v1/namespaces/{namespace}/configmaps/clustermesh-remote-users")
    assert users and users["data"] == {"users.yaml": "users:\n- name: remote-south\n  role: remote\n"}
    assert len(cluster.names(f"/api/v1/namespaces/{namespace}/secrets", "")) == 4, "no CA and no key of it"


def test_a_second_run_writes_nothing(call: Run, server: ApiServer, install: Callable[..., Objects]) -> None:
    call(remote_users=[], ca_bundle=BOTH)
    before = server.writes()
    done = call(remote_users=[], ca_bundle=NEW.cert + OLD.cert)
    assert (done["changed"], done["diff"], server.writes()) == (False, [], before)
    install()
    before = [each for each in server.writes() if "/status" not in each]
    assert not call(remote_users=[], ca_bundle=BOTH)["changed"]
    assert [each for each in server.writes() if "/status" not in each] == before


def test_check_mode_writes_nothing_and_says_the_same(call: Run, server: ApiServer) -> None:
    before = server.writes()
    planned = call(check=True, remote_users=["south"])
    virgin = call(check=True, remote_users=["south"], ca_key="")
    assert server.writes() == before
    done = call(remote_users=["south"])
    assert planned["objects"] == virgin["objects"] == done["objects"] and planned["changed"]


def test_one_write_for_what_was_altered_by_hand(
    call: Run, server: ApiServer, cluster: Cluster, secret: Callable[..., Objects]
) -> None:
    call()
    path = f"{secret()['metadata']['namespace']}/secrets/{LEAFS['admin']}"
    wrong = {"data": {"tls.key": base64.b64encode(NEW.key.encode()).decode()}}
    content = "application/merge-patch+json"
    cluster.request("PATCH", f"/api/v1/namespaces/{path}", {"fieldManager": "vi"}, wrong, content_type=content)
    cluster.request("DELETE", f"/api/v1/namespaces/{path.replace('admin', 'local')}")
    before = len(server.writes())
    done = call()
    assert {role: each["reasons"] for role, each in done["leafs"].items() if each["reasons"]} == {
        "admin": ["tls.key does not match tls.crt"],
        "local": ["missing"],
    }
    assert len(server.writes()) == before + 2 and not call()["changed"]


def test_labels_of_others_stay(call: Run, cluster: Cluster, secret: Callable[..., Objects]) -> None:
    call()
    path = f"/api/v1/namespaces/{secret()['metadata']['namespace']}/secrets/{SERVER}"
    body = {"metadata": {"labels": {"team": "network"}}}
    cluster.request("PATCH", path, {}, body, content_type="application/merge-patch+json")
    assert not call()["changed"]
    assert call(force_reissue=True)["changed"] and secret()["metadata"]["labels"] == {"team": "network"}


def test_a_replacement_of_the_ca(call: Run, install: Callable[..., Objects], secret: Callable[..., Objects]) -> None:
    call()
    generation = install()["metadata"]["generation"]
    serial = leaf(secret()).serial_number
    prepared = call(ca_bundle=BOTH)
    assert prepared["restarted"] and {each["action"] for each in prepared["leafs"].values()} == {"trust"}
    assert leaf(secret()).serial_number == serial and trust.decoded(secret(), "ca.crt") == BOTH
    switched = call(ca=NEW, ca_bundle=BOTH)
    assert not switched["restarted"] and {each["action"] for each in switched["leafs"].values()} == {"issued"}
    finished = call(ca=NEW)
    assert finished["restarted"] and {each["action"] for each in finished["leafs"].values()} == {"trust"}
    assert not call(ca=NEW)["changed"]
    assert generation == 1


def test_the_server_is_written_first(call: Run, server: ApiServer) -> None:
    call()
    before = len(server.writes())
    call(ca=NEW, ca_bundle=BOTH)
    written = [re.sub(r".*/|\?.*", "", each) for each in server.writes()[before:]]
    assert written == [LEAFS[role] for role in ("server", "admin", "local", "remote")]


def test_a_run_that_ended_before_the_restart_is_made_good(
    call: Run, install: Callable[..., Objects], monkeypatch: pytest.MonkeyPatch
) -> None:
    call()
    install()
    with monkeypatch.context() as patch:
        patch.setattr(trust_client.Trust, "restart", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            call(ca_bundle=BOTH)
    assert call(check=True, ca_bundle=BOTH)["restarted"]
    done = call(ca_bundle=BOTH)
    assert done["restarted"] and {each["action"] for each in done["leafs"].values()} == {"unchanged"}
    assert not call(ca_bundle=BOTH)["changed"]


def test_a_run_that_ended_after_any_write_is_made_good(
    call: Run, install: Callable[..., Objects], monkeypatch: pytest.MonkeyPatch
) -> None:
    call()
    install()
    write, left = trust_client.Trust.write, [1]

    def once(self: trust_client.Trust, manifest: Objects) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        write(self, manifest)

    with monkeypatch.context() as patch:
        patch.setattr(trust_client.Trust, "write", once)
        with pytest.raises(KeyboardInterrupt):
            call(ca_bundle=BOTH)
    done = call(ca_bundle=BOTH)
    actions = {role: each["action"] for role, each in done["leafs"].items()}
    assert actions == {"server": "unchanged", "admin": "trust", "local": "trust", "remote": "trust"}
    assert done["restarted"] and not call(ca_bundle=BOTH)["changed"]


def test_no_restart_where_it_is_not_wanted(call: Run, install: Callable[..., Objects]) -> None:
    call()
    install()
    done = call(ca_bundle=BOTH, restart="never")
    assert done["changed"] and not done["restarted"]
    assert not call(ca_bundle=BOTH, restart="never")["changed"]
    assert call(ca_bundle=BOTH)["restarted"]


def test_pods_that_do_not_start_are_reported(call: Run, install: Callable[..., Objects], server: ApiServer) -> None:
    call()
    install(controller=False)
    refused = call(ca_bundle=BOTH, wait_timeout=2)
    assert refused["failed"] and "is not rolled out after 2 s (0 new pods, 0 available)" in refused["msg"]
    assert refused["msg"].startswith("Deployment clustermesh-apiserver in mesh-")
    assert refused["msg"].endswith("see why its pods do not start, then run again.")


def test_host_aliases_of_the_peers_stay_at_a_restart(
    call: Run, install: Callable[..., Objects], cluster: Cluster, namespace: str
) -> None:
    """Module cilium_clustermesh applies them under the same manager."""
    call()
    install()
    aliases = [{"ip": "203.0.113.7", "hostnames": ["south.mesh.cilium.io"]}]
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "clustermesh-apiserver"}}
    body["spec"] = {"template": {"spec": {"hostAliases": aliases}}}
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/clustermesh-apiserver"
    query = {"fieldManager": MANAGER}
    cluster.request("PATCH", path, query, body, content_type="application/apply-patch+yaml")
    assert call(ca_bundle=BOTH)["restarted"]
    found = cluster.get(path)
    assert found and found["spec"]["template"]["spec"]["hostAliases"] == aliases


def test_another_cluster_is_refused(call: Run, cluster: Cluster, namespace: str, server: ApiServer) -> None:
    config = {"metadata": {"name": "cilium-config"}, "data": {"cluster-name": "south", "cluster-id": "2"}}
    cluster.request("POST", f"/api/v1/namespaces/{namespace}/configmaps", body=config)
    before = server.writes()
    refused = call(context="test")
    assert refused["msg"] == (
        f"expected cluster 'north' behind context test, found 'south' (id 2); check kubeconfig {server.kubeconfig}. "
        "Nothing was written."
    )
    assert server.writes() == before
    assert call(name=None)["leafs"]["admin"]["cn"] == "admin-south"


def test_the_name_is_needed_before_the_install(call: Run, namespace: str) -> None:
    assert call(name=None)["msg"] == (
        f"ConfigMap cilium-config in {namespace} behind context (current) does not exist yet, "
        "so the name of the cluster is unknown: set name."
    )


def test_what_helm_renders_is_refused_before_the_first_write(
    call: Run, cluster: Cluster, namespace: str, server: ApiServer
) -> None:
    labels = {"app.kubernetes.io/managed-by": "Helm"}
    data = {"tls.crt": "", "tls.key": ""}
    body = {"metadata": {"name": LEAFS["remote"], "labels": labels}, "type": "kubernetes.io/tls", "data": data}
    cluster.request("POST", f"/api/v1/namespaces/{namespace}/secrets", body=body)
    before = server.writes()
    refused = call()
    assert len(refused["findings"]) == 1
    assert refused["msg"].startswith("Secret clustermesh-apiserver-remote-cert is rendered by Helm (method helm)")
    assert call(check=True)["msg"] == refused["msg"] and server.writes() == before


def test_the_shared_ca(call: Run, cluster: Cluster, namespace: str, server: ApiServer) -> None:
    assert call(mode="shared_ca")["objects"] == [{"object": f"Secret {namespace}/cilium-ca", "action": "written"}]
    before = server.writes()
    assert not call(mode="shared_ca")["changed"]
    refused = call(mode="shared_ca", ca=NEW)
    assert "Secret cilium-ca holds another CA" in refused["msg"] and server.writes() == before


def test_the_bundle(call: Run, cluster: Cluster, namespace: str, install: Callable[..., Objects]) -> None:
    only = {"mode": "bundle", "ca": Pair("", "")}
    assert call(**only, ca_bundle=OLD.cert)["changed"]
    install()
    assert not call(**only, ca_bundle=OLD.cert)["changed"]
    assert call(**only, ca_bundle=BOTH)["restarted"]
    found = cluster.get(f"/api/v1/namespaces/{namespace}/configmaps/cilium-root-ca.crt")
    assert found and found["data"] == {"ca.crt": BOTH}
    assert call(**only)["msg"] == "ca_bundle is no PEM text of certificates"


def test_all_that_is_wrong_with_the_options_at_once(call: Run) -> None:
    refused = call(ca_bundle=NEW.cert, validity_days=60, server_sans=["https://x"])
    shown = certs.fingerprints(OLD.cert)[0][:16]
    assert refused["findings"] == [
        "server_sans: 'https://x' is neither a DNS name nor an IP address",
        "renew_before_days (60) is not below validity_days (60): every run would reissue all certificates",
        f"ca_bundle does not contain ca_cert (sha256 {shown}): no cluster would trust what it signs; add it",
    ]


def test_the_ca_of_a_cluster_is_adopted(
    run: Run, call: Run, cluster: Cluster, server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    source = {"kubeconfig": str(server.kubeconfig), "namespace": namespace}
    where = f"Secret cilium-ca in {namespace} of {cluster.host}"
    path = str(tmp_path / "mesh")
    refused = run("cilium_clustermesh_ca", path=path, adopt_from=source)
    assert refused["msg"] == f"{where} does not exist: leave adopt_from out to make a CA."
    call(mode="shared_ca")
    adopted = run("cilium_clustermesh_ca", path=path, adopt_from=source)
    assert adopted["changed"] and adopted["fingerprints"] == certs.fingerprints(OLD.cert)
    assert (tmp_path / "mesh/ca.key").read_text() == OLD.key and OLD.key.split("\n")[1] not in str(adopted)
    assert not run("cilium_clustermesh_ca", path=path, adopt_from=source)["changed"]
    keyless = {"data": {"ca.key": None}}
    secret = f"/api/v1/namespaces/{namespace}/secrets/cilium-ca"
    cluster.request("PATCH", secret, {}, keyless, content_type="application/merge-patch+json")
    refused = run("cilium_clustermesh_ca", path=str(tmp_path / "other"), adopt_from=source)
    assert refused["msg"] == f"{where} holds no CA: leave adopt_from out to make one."


def test_pods_are_annotated_so_that_they_reread_their_mounts(call: Run, cluster: Cluster, namespace: str) -> None:
    pods = f"/api/v1/namespaces/{namespace}/pods"
    metadata = {"name": "cilium-x", "labels": {"k8s-app": "cilium"}}
    spec = {"containers": [{"name": "cilium-agent", "image": "x"}], "automountServiceAccountToken": False}
    cluster.request("POST", pods, body={"metadata": metadata, "spec": spec})
    call(remote_users=[])
    told = cluster.request("GET", f"{pods}/cilium-x")["metadata"]
    assert "cilium-clustermesh-ansible/peers-written-at" in told["annotations"]
    assert call(remote_users=[])["changed"] is False
    assert cluster.request("GET", f"{pods}/cilium-x")["metadata"]["resourceVersion"] == told["resourceVersion"]
