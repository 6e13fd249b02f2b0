# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Whether clusters can be one mesh: every fault is refused with its words, whatever the order of the clusters."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.findings import Finding
from ansible_collections.opendata.platform.plugins.module_utils.mesh.preflight.check import judge, peers
from ansible_collections.opendata.platform.plugins.module_utils.mesh.preflight.messages import RULES, WARNINGS, Record
from ansible_collections.opendata.platform.plugins.module_utils.mesh.preflight.shape import faults
from hypothesis import given
from hypothesis import strategies as st

from repository import TESTS

FIXTURES = TESTS / "fixtures"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def names(kind: str) -> list[str]:
    return sorted(path.parent.name for path in FIXTURES.glob(f"{kind}/mesh/*/clusters.yml"))


def merged(base: Any, patch: Any) -> Any:
    """The base with the patch over it; None takes a key away."""
    if not isinstance(base, dict) or not isinstance(patch, dict):
        return patch
    both = {**base, **{key: merged(base.get(key), value) for key, value in patch.items()}}
    return {key: value for key, value in both.items() if value is not None}


def load(kind: str, name: str) -> tuple[list[Record], dict[str, Any]]:
    """The records and options of a fixture."""
    pair = yaml.safe_load((FIXTURES / "valid/mesh/pair/clusters.yml").read_text())
    patch = yaml.safe_load((FIXTURES / kind / "mesh" / name / "clusters.yml").read_text())
    both = merged(pair, patch)
    return list(both["clusters"].values()), both.get("options", {})


def found(kind: str, name: str) -> list[Finding]:
    records, options = load(kind, name)
    assert faults(records) == []
    return judge(records, NOW, **options)


def clusters(each: Finding) -> set[str]:
    return set(each.subject.split(", "))


PAIR = load("valid", "pair")[0]
WEST = merged(
    PAIR[1],
    {
        "name": "west",
        "id": 3,
        "context": "west",
        "pod_cidrs": ["10.3.0.0/16"],
        "service_cidrs": ["10.103.0.0/16"],
        "node_ips": ["10.77.0.13"],
        "endpoint": {"ips": ["10.77.0.13"], "port": 32399},
    },
)


@pytest.mark.parametrize("name", names("invalid"))
def test_refused_with_exactly_the_expected_findings(name: str) -> None:
    expected = (FIXTURES / "invalid/mesh" / name / "expected.txt").read_text().splitlines()
    assert expected
    assert [str(each) for each in found("invalid", name)] == expected


@pytest.mark.parametrize("name", names("valid"))
def test_accepted_without_a_finding(name: str) -> None:
    assert found("valid", name) == []


def test_every_code_has_a_fixture() -> None:
    seen = {each.code: each.severity for name in names("invalid") for each in found("invalid", name)}
    assert seen == {code: "warning" if code in WARNINGS else "error" for code in RULES}


@pytest.mark.parametrize("name", names("invalid"))
def test_what_is_ignored_is_left_out_and_nothing_else(name: str) -> None:
    records, options = load("invalid", name)
    every = judge(records, NOW, **options)
    for code in RULES:
        kept = judge(records, NOW, **options, ignore=[code])
        assert kept == [each for each in every if each.code != code]


@pytest.mark.parametrize("name", names("invalid"))
def test_order_of_clusters_does_not_matter(name: str) -> None:
    records, options = load("invalid", name)
    assert judge(records[::-1], NOW, **options) == judge(records, NOW, **options)


@pytest.mark.parametrize("name", names("invalid"))
def test_a_third_cluster_hides_nothing(name: str) -> None:
    """Findings that list all clusters list one more, so the text may grow; the code and its clusters stay."""
    records, options = load("invalid", name)
    more = judge([*records, WEST], NOW, **options)
    for each in judge(records, NOW, **options):
        assert any(each.code == other.code and clusters(each) <= clusters(other) for other in more)


def test_errors_come_first() -> None:
    assert [each.severity for each in found("invalid", "several-at-once")] == ["error"] * 3 + ["warning"]


def test_many_versions_are_one_finding_for_each_pair_of_versions() -> None:
    old = [{**PAIR[0], "name": f"old-{number}", "version": "1.18.12"} for number in range(3)]
    new = [{**PAIR[0], "name": f"new-{number}", "version": "1.20.2"} for number in range(3)]
    [skew] = [each for each in judge(old + new, NOW) if each.code == "VERSION_SKEW"]
    assert skew.problem == (
        "Cilium 1.18.12 ('old-0', 'old-1', 'old-2') and 1.20.2 ('new-0', 'new-1', 'new-2') "
        "are more than one minor apart"
    )
    assert [each for each in judge(old + new, NOW, max_minor_skew=2) if each.code == "VERSION_SKEW"] == []


def test_days_from_which_on_an_end_is_a_warning() -> None:
    records, _ = load("invalid", "certificate-ends-soon")
    assert [each.code for each in judge(records, NOW, cert_warn_days=29)] == []
    assert [each.code for each in judge(records, NOW, cert_warn_days=30)] == ["CERT_EXPIRING"]


@pytest.mark.parametrize(("version", "ignored"), [("1.18.4", True), ("1.18.5", False), ("1.19.0", False)])
def test_version_from_which_on_a_bundle_is_read(version: str, ignored: bool) -> None:
    records, _ = load("invalid", "bundle-on-old")
    codes = [each.code for each in judge([{**records[0], "version": version}, records[1]], NOW)]
    assert ("CA_BUNDLE_OLD" in codes, "CA_MISMATCH" in codes) == (ignored, True)


def test_thousands_of_node_ranges_are_judged_at_once() -> None:
    wide = [{**PAIR[0], "pod_cidrs": [f"10.{16 + n // 256}.{n % 256}.0/24" for n in range(5000)]}, PAIR[1]]
    assert [each.code for each in judge(wide, NOW)] == []


def test_peers_are_all_others_in_the_shape_that_the_module_takes() -> None:
    north = {"name": "north", "id": 1, "endpoint": {"ips": ["10.77.0.11"], "address": "", "port": 32379}}
    south = {"name": "south", "id": 2, "endpoint": {"ips": ["10.77.0.12"], "address": "", "port": 32379}}
    west = {"name": "west", "id": 3, "endpoint": {"ips": ["10.77.0.13"], "address": "", "port": 32399}}
    every = peers([WEST, *PAIR])
    assert every == {"north": [south, west], "south": [north, west], "west": [north, south]}
    assert peers([]) == {}


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"name": None}, ["clusters[0]: name is missing"]),
        ({"id": "1"}, ["clusters[0] ('north'): id is '1', not a number"]),
        ({"id": True}, ["clusters[0] ('north'): id is True, not a number"]),
        ({"kvstoremesh": "yes"}, ["clusters[0] ('north'): kvstoremesh is 'yes', not true or false"]),
        ({"datapath": None}, [f"clusters[0] ('north'): datapath.{key} is missing" for key in PAIR[0]["datapath"]]),
        ({"pod_cidrs": ["10.1.0.0"]}, []),
        ({"pod_cidrs": ["pods"]}, ["clusters[0] ('north'): pod_cidrs holds 'pods', which cannot be read"]),
        ({"node_ips": [1]}, ["clusters[0] ('north'): node_ips is [1], not a list of texts"]),
        ({"version": "latest"}, ["clusters[0] ('north'): version holds 'latest', which cannot be read"]),
        (
            {"tls": {"leafs": {"server": {"not_after": "soon"}}}},
            ["clusters[0] ('north'): tls.leafs.server.not_after holds 'soon', which cannot be read"],
        ),
        ({"tls": {"leafs": {"server": {"sans": None}}}}, ["clusters[0] ('north'): tls.leafs.server.sans is missing"]),
    ],
)
def test_what_is_no_record_is_named(patch: dict[str, Any], expected: list[str]) -> None:
    assert faults([merged(PAIR[0], patch)]) == expected


def test_an_empty_mapping_lacks_everything() -> None:
    lacking = faults([{}])
    assert lacking[0] == "clusters[0]: name is missing" and len(lacking) == 27


texts = st.sampled_from(["", "default", "north", "south", "North", "x" * 40, "tunnel", "native", "eni", "ClusterIP"])
cidrs = st.lists(
    st.sampled_from(["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/24", "fd00::/48", "fd00:0:0:1::/64"]), max_size=3
)
signers = st.sampled_from(["", "a1" * 32, "b2" * 32])
leafs = st.dictionaries(
    st.sampled_from(["server", "admin", "remote", "local"]),
    st.fixed_dictionaries(
        {
            "cn": texts,
            "sans": st.lists(st.sampled_from(["*.mesh.cilium.io", "*", "", "::1", "north.mesh.cilium.io"]), max_size=3),
            "issuer": signers,
            "not_after": st.sampled_from(["2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z"]),
            "days_left": st.integers(),
        }
    ),
)
records = st.fixed_dictionaries(
    {
        "name": texts,
        "id": st.integers(-1, 600),
        "context": texts,
        "max_connected_clusters": st.sampled_from([0, 255, 256, 511]),
        "version": st.sampled_from(["1.16.0", "1.18.4", "1.18.5", "v1.19.6", "1.20.2-rc.1", "2.0"]),
        "datapath": st.fixed_dictionaries(
            {
                "routing_mode": st.sampled_from(["tunnel", "native"]),
                "tunnel_protocol": st.sampled_from(["", "vxlan", "geneve"]),
                "tunnel_port": st.sampled_from([0, 8472]),
                "mtu": st.sampled_from([0, 1280, 1500]),
                "native_cidr": st.sampled_from(["", "10.0.0.0/8", "10.1.0.0/16", "fd00::/32"]),
            }
        ),
        "pod_cidrs": cidrs,
        "service_cidrs": cidrs,
        "node_ips": st.lists(st.sampled_from(["10.77.0.11", "10.77.0.12", "fd00::1"]), max_size=3),
        "encryption": st.fixed_dictionaries(
            {"type": st.sampled_from(["none", "wireguard", "ipsec"]), "node": st.booleans()}
        ),
        "kube_proxy_replacement": st.booleans(),
        "ipam": texts,
        "policy_default_local_cluster": st.booleans(),
        "kvstoremesh": st.booleans(),
        "auth_mode": st.sampled_from(["legacy", "migration", "cluster"]),
        "endpoint": st.fixed_dictionaries(
            {
                "type": st.sampled_from(["LoadBalancer", "NodePort", "ClusterIP", "override", "none"]),
                "ips": st.lists(st.sampled_from(["10.77.0.11", "fd00::1", "fd00:0::1"]), max_size=3),
                "address": st.sampled_from(["", "mesh.example.org", "Mesh.Example.org", "127.0.0.1", "."]),
                "port": st.sampled_from([0, 2379, 32379]),
            }
        ),
        "tls": st.fixed_dictionaries(
            {"method": texts, "ca_fingerprints": st.lists(signers.filter(bool), max_size=2), "leafs": leafs}
        ),
    }
)


@given(st.lists(records, max_size=4), st.randoms(), st.sampled_from([0, 1420]))
def test_any_records_are_judged_alike_in_any_order(mesh: list[Record], random: Any, underlay_mtu: int) -> None:
    assert faults(mesh) == []
    before = copy.deepcopy(mesh)
    findings = judge(mesh, NOW, underlay_mtu=underlay_mtu)
    assert mesh == before
    shuffled = random.sample(mesh, len(mesh))
    assert judge(shuffled, NOW, underlay_mtu=underlay_mtu) == findings
    assert findings == sorted(set(findings), key=lambda each: (each.severity, each.code, each))
    assert all("{" not in each.problem and each.step.endswith(".") for each in findings)


@given(st.lists(records, max_size=3))
def test_a_cluster_more_hides_nothing(mesh: list[Record]) -> None:
    more = judge([*mesh, WEST], NOW)
    for each in judge(mesh, NOW):
        assert any(each.code == other.code and clusters(each) <= clusters(other) for other in more)


@given(records)
def test_the_same_cluster_twice_is_never_accepted(record: Record) -> None:
    assert any(each.severity == "error" for each in judge([record, record], NOW))


@given(st.lists(records, max_size=4))
def test_nobody_is_a_peer_of_its_own_and_everybody_is_of_all_others(mesh: list[Record]) -> None:
    clusters = {record["name"] for record in mesh}
    for name, others in peers(mesh).items():
        assert {peer["name"] for peer in others} == clusters - {name}
