# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The fleet's kubeconfig of an existing cluster, to which it writes nothing."""

import json
import os
from pathlib import Path

import kubernetes
import testinfra.host
import yaml

testinfra_hosts = ["local://"]
Host = testinfra.host.Host
DIRECTORY = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
KUBECONFIG = DIRECTORY / "inventory/.state/kubeconfigs/given"
# Permission reviews, which are not stored.
QUESTIONS = "/apis/authorization.k8s.io/"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
MUTATING = ("create", "update", "patch", "delete", "deletecollection")


def test_kubeconfig_is_the_users_own(host: Host) -> None:
    file = host.file(str(KUBECONFIG))
    assert (file.user, file.mode) == ("root", 0o600)


def test_kubeconfig_has_the_names_of_the_cluster() -> None:
    config = yaml.safe_load(KUBECONFIG.read_text())
    names = [config["current-context"], *(config[kind][0]["name"] for kind in ("contexts", "clusters", "users"))]
    assert names == ["given"] * 4


def test_api_answers_by_it() -> None:
    api = kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(str(KUBECONFIG)))
    assert [node.metadata.name for node in api.list_node().items] == ["given-1"]


def test_nothing_was_written_but_the_lease_of_each_run_and_what_prepare_wrote() -> None:
    events = [json.loads(line) for line in (DIRECTORY / "api-server/audit.log").read_text().splitlines()]
    ours = [event for event in events if event["verb"] in MUTATING and event["user"]["username"] == "admin"]
    writes = [f"{event['verb']} {event['requestURI'].partition('?')[0]}" for event in ours]
    lease = [f"create {LEASES}", *(f"{verb} {LEASES}/opendata-platform-fleet" for verb in ("update", "delete"))]
    others = [line for line in writes if QUESTIONS not in line and line not in lease]
    assert others == ["create /api/v1/nodes"]
