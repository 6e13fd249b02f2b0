# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What Cilium is asked to do on given kernels and images."""

from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.cilium import values as cilium_values
from hypothesis import given
from hypothesis import strategies as st

KERNEL = ("fq", "geneve", "netkit", "wireguard")
BUILT = {
    "quay.io/cilium/cilium:v1.20.2": {"origin": "build", "digest": "sha256:a"},
    "quay.io/cilium/operator-generic:v1.20.2": {"origin": "build", "digest": "sha256:b"},
}
EVERYTHING = {
    "encryption": {"enabled": True, "type": "wireguard", "nodeEncryption": True},
    "tunnelProtocol": "geneve",
    "bpf": {"datapathMode": "netkit", "masquerade": True},
    "bandwidthManager": {"enabled": True, "bbr": True},
}


def node(**without: Any) -> dict[str, Any]:
    return {"kernel": dict.fromkeys(KERNEL, True), "container": "", "sys_resource": True, **without}


@given(st.fixed_dictionaries({name: st.booleans() for name in KERNEL}))
def test_what_the_kernel_cannot_do_is_off_and_nothing_else_changes(kernel: dict[str, bool]) -> None:
    fitted = cilium_values.fit(EVERYTHING, {"a": node(), "b": node(kernel=kernel)})
    assert fitted == {
        "encryption": {**EVERYTHING["encryption"], "enabled": kernel["wireguard"]},
        "tunnelProtocol": "geneve" if kernel["geneve"] else "vxlan",
        "bpf": {"datapathMode": "netkit" if kernel["netkit"] else "veth", "masquerade": True},
        "bandwidthManager": {"enabled": kernel["fq"], "bbr": kernel["fq"]},
    }


def test_what_nobody_asked_for_is_not_written() -> None:
    assert cilium_values.fit({"tunnelProtocol": "vxlan"}, {"a": node(kernel=dict.fromkeys(KERNEL, False))}) == {
        "tunnelProtocol": "vxlan"
    }


@pytest.mark.parametrize("name", KERNEL)
def test_what_is_off_is_said_with_the_node(name: str) -> None:
    weak = {"weak": node(kernel={**dict.fromkeys(KERNEL, True), name: False}), "strong": node()}
    (asked,) = cilium_values.notes("north", EVERYTHING, {}, weak)
    (idle,) = cilium_values.notes("north", {}, {}, weak)
    assert "although it is asked for: the kernel of weak cannot do it" in asked
    assert idle.endswith("is off: the kernel of weak cannot do it")


def test_lost_encryption_is_said_plainly() -> None:
    weak = {"weak": node(kernel={**dict.fromkeys(KERNEL, True), "wireguard": False})}
    assert "traffic between nodes is NOT encrypted" in cilium_values.notes("north", EVERYTHING, {}, weak)[0]


@pytest.mark.parametrize(
    ("known", "envoy"),
    [
        (BUILT, False),
        ({**BUILT, "quay.io/cilium/cilium-envoy:v1": {"origin": "build", "digest": "sha256:c"}}, True),
        ({"quay.io/cilium/cilium:v1.20.2": {"origin": "download", "digest": "sha256:a"}}, True),
        ({}, True),
    ],
)
def test_envoy_is_on_where_its_image_can_be_had(known: dict[str, Any], envoy: bool) -> None:
    assert cilium_values.settings(known, {"a": node()})["envoy"] is envoy
    assert bool(cilium_values.notes("north", {}, known, {"a": node()})) is not envoy


def test_one_weak_node_decides_for_the_cluster() -> None:
    found = cilium_values.settings(BUILT, {"a": node(), "b": node(container="systemd-nspawn", sys_resource=False)})
    assert (found["sysctlfix"], found["sys_resource"]) == (False, False)
