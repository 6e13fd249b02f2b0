# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What a server and an agent of k3s look like from inside. k3s is a stand-in, see its README."""

import json

import pytest
import testinfra.host
import yaml

testinfra_hosts = ["ansible://nodes"]
Host = testinfra.host.Host
STAND_IN = "k3s stand-in, not k3s"


@pytest.fixture
def name(host: Host) -> str:
    """The machine's name."""
    return host.check_output("hostname")


@pytest.fixture
def is_server(name: str) -> bool:
    """Whether the machine is the server; the other one is the agent."""
    return name == "edge-1"


def test_binary_is_the_stand_in(host: Host) -> None:
    assert host.file("/usr/local/bin/k3s").mode == 0o755
    assert host.check_output("k3s --version").splitlines() == ["k3s version v1.36.4+k3s1 (00000000)", STAND_IN]


def test_only_its_own_unit_runs_and_starts_with_the_machine(host: Host, is_server: bool) -> None:
    for unit, wanted in (("k3s", is_server), ("k3s-agent", not is_server)):
        assert (host.service(unit).is_running, host.file(f"/etc/systemd/system/{unit}.service").exists) == (
            wanted,
            wanted,
        )
        assert not wanted or host.service(unit).is_enabled


def test_token_is_for_root_only(host: Host) -> None:
    assert (host.file("/etc/rancher/k3s/token").user, host.file("/etc/rancher/k3s/token").mode) == ("root", 0o600)


def test_server_leaves_network_and_load_balancers_to_others(host: Host, is_server: bool) -> None:
    config = yaml.safe_load(host.file("/etc/rancher/k3s/config.yaml").content_string)
    wanted = {
        "flannel-backend": "none",
        "disable-network-policy": True,
        "disable-kube-proxy": True,
        "disable": ["servicelb", "traefik"],
        "secrets-encryption": True,
    }
    assert {key: value for key, value in config.items() if key in wanted} == (wanted if is_server else {})


def test_api_is_behind_loopback_on_every_node(host: Host) -> None:
    assert host.socket("tcp://127.0.0.1:6444").is_listening


def test_api_is_ready_and_knows_both_nodes(host: Host, is_server: bool) -> None:
    if not is_server:
        pytest.skip("the administrator's kubeconfig is on the server")
    assert host.check_output("k3s kubectl get --raw=/readyz") == "ok"
    nodes = json.loads(host.check_output("k3s kubectl get nodes --output=json"))["items"]
    assert {node["metadata"]["name"]: node["status"]["nodeInfo"]["osImage"] for node in nodes} == {
        "edge-1": STAND_IN,
        "edge-2": STAND_IN,
    }
