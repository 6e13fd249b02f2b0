# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module cilium_clustermesh_preflight: every finding at once in its message, peers for the next task."""

import importlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.module import ControllerModule
from ansible_collections.opendata.platform.plugins.module_utils.mesh.preflight.check import judge
from ansible_collections.opendata.platform.plugins.module_utils.mesh.preflight.messages import RULES
from ansible_collections.opendata.platform.plugins.module_utils.mesh.preflight.shape import faults
from ansible_collections.opendata.platform.plugins.module_utils.mesh.record import client as record_client

from repository import TESTS

NAME = "cilium_clustermesh_preflight"
OBJECTS = TESTS / "unit/plugins/module_utils/mesh/fixtures"
PAIR = TESTS / "fixtures/valid/mesh/pair/clusters.yml"

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def north() -> dict[str, Any]:
    return yaml.safe_load(PAIR.read_text())["clusters"]["north"]


@pytest.fixture
def south() -> dict[str, Any]:
    return yaml.safe_load(PAIR.read_text())["clusters"]["south"]


@pytest.mark.parametrize("check", [False, True])
def test_a_sound_mesh_gives_each_cluster_its_peers(run: Run, north: Any, south: Any, check: bool) -> None:
    result = run(NAME, check=check, clusters=[north, south])
    assert (result["ok"], result["findings"], result.get("changed", False)) == (True, [], False)
    peer = {"name": "south", "id": 2, "endpoint": {"ips": ["10.77.0.12"], "address": "", "port": 32379}}
    assert result["peers_by_cluster"]["north"] == [peer]


@pytest.mark.parametrize("check", [False, True])
def test_fails_with_every_error_at_once(run: Run, north: Any, south: Any, check: bool) -> None:
    south |= {"id": 1, "pod_cidrs": ["10.1.128.0/17"], "policy_default_local_cluster": True}
    result = run(NAME, check=check, clusters=[north, south])
    assert result["failed"] and result["ok"] is False and "peers_by_cluster" not in result
    assert result["msg"] == (
        "CIDR_OVERLAP: north, south: pod CIDR 10.1.0.0/16 of 'north' overlaps 10.1.128.0/17 of 'south'. "
        "Recreate one of them with another pod CIDR.\n"
        "ID_DUP: north, south: clusters 'north' (context north) and 'south' (context south) both use id 1; "
        "ids must be unique in the mesh. "
        "Change cluster.id of one, or correct the context if both point to the same cluster."
    )
    assert [each["code"] for each in result["findings"]] == ["CIDR_OVERLAP", "ID_DUP", "POLICY_SCOPE"]
    assert result["findings"][0] == {
        "severity": "error",
        "code": "CIDR_OVERLAP",
        "clusters": ["north", "south"],
        "problem": "pod CIDR 10.1.0.0/16 of 'north' overlaps 10.1.128.0/17 of 'south'",
        "step": "Recreate one of them with another pod CIDR.",
    }


def test_warns_and_goes_on(run: Run, north: Any, south: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(ControllerModule, "warn", lambda _, text: said.append(text))
    south["datapath"]["mtu"] = 1500
    result = run(NAME, clusters=[north, south], underlay={"mtu": 1280})
    assert result["ok"] is True
    [warning] = said
    assert warning.startswith("MTU: south: pod MTU 1370 of 'south' exceeds underlay 1280 minus 130 overhead. Set MTU ")


def test_ends_of_certificates_are_measured_from_today(run: Run, north: Any, south: Any) -> None:
    north["tls"]["leafs"]["admin"]["not_after"] = "2020-01-01T00:00:00Z"
    assert run(NAME, clusters=[north, south])["msg"].startswith("CERT_EXPIRED: north: admin certificate expired 2020")


def test_what_is_ignored_does_not_fail(run: Run, north: Any, south: Any) -> None:
    south["id"] = 1
    assert run(NAME, clusters=[north, south], ignore=["ID_DUP"])["findings"] == []


def test_skew_that_is_allowed(run: Run, north: Any, south: Any) -> None:
    north |= {"version": "1.18.12", "kube_proxy_replacement": False}
    assert run(NAME, clusters=[north, south])["findings"][0]["code"] == "VERSION_SKEW"
    assert run(NAME, clusters=[north, south], max_minor_skew=2)["findings"] == []


def test_an_unknown_code_is_refused(run: Run, north: Any) -> None:
    assert "Got no match for: ID_DUPE" in run(NAME, clusters=[north], ignore=["ID_DUPE"])["msg"]


def test_what_is_no_record_is_named(run: Run, north: Any) -> None:
    del north["tls"]
    result = run(NAME, clusters=[north, {"name": "south"}])
    lines = result["msg"].splitlines()
    assert result["failed"] and lines[0] == "These are not records of cilium_clustermesh_info:"
    assert lines[1] == "clusters[0] ('north'): tls.method is missing"
    assert lines[-1] == "clusters[1] ('south'): tls.leafs is missing"


def test_a_cluster_without_cilium_is_left_out_in_check_mode_only(run: Run, north: Any) -> None:
    assert run(NAME, check=True, clusters=[north, {}])["peers_by_cluster"] == {"north": []}
    assert "clusters[1]: name is missing" in run(NAME, clusters=[north, {}])["msg"]


def test_a_record_made_of_real_objects_is_understood() -> None:
    """The objects are those of Cilium 1.20.2; without Secrets there are no certificates to judge."""
    raw: dict[str, Any] = dict.fromkeys(name for names in record_client.SOURCES.values() for name in names)
    raw |= {"nodes": [], "cilium_nodes": []}
    raw["config"] = yaml.safe_load((OBJECTS / "a-cilium-config.yaml").read_text())
    raw["apiserver"] = yaml.safe_load((OBJECTS / "a-clustermesh-apiserver.json").read_text())
    raw["agents"] = {"metadata": {"labels": {"helm.sh/chart": "cilium-1.20.2"}}, "spec": {"template": {"spec": {}}}}
    raw["agents"]["spec"]["template"]["spec"]["containers"] = [{"name": "cilium-agent", "image": "cilium:v1.20.2"}]
    where = {"context": "a", "namespace": "kube-system"}
    record = record_client.record(raw, record_client.SOURCES, where, {})
    assert faults([record]) == []
    assert {each.code for each in judge([record], datetime.now(UTC))} == {"NO_ENDPOINT", "POLICY_SCOPE"}


def test_documentation_names_every_code() -> None:
    module = importlib.import_module(f"ansible_collections.opendata.platform.plugins.modules.{NAME}")
    assert yaml.safe_load(module.DOCUMENTATION)["options"]["ignore"]["choices"] == sorted(RULES)
