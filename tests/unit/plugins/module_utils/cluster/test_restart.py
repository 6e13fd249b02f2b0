# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What the API shows of machines that stopped and started."""

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.cluster import restart

BEFORE, SINCE, AFTER = "2026-11-30T17:00:00Z", restart.moment("2026-11-30T17:00:01Z"), "2026-11-30T17:00:01Z"


def node(name: str, heartbeat: str, status: str = "True") -> dict:
    ready = {"type": "Ready", "status": status, "lastHeartbeatTime": heartbeat, "message": "starts"}
    return {"metadata": {"name": name}, "status": {"conditions": [ready]}}


def pod(started: str, phase: str = "Running", ready: str = "True") -> dict:
    containers = [{"name": "main", "state": {"running": {"startedAt": started}}}]
    conditions = [{"type": "Ready", "status": ready, "message": "is starting"}]
    return {
        "metadata": {"name": "web"},
        "status": {"phase": phase, "containerStatuses": containers, "conditions": conditions},
    }


def test_a_node_counts_once_its_kubelet_reported() -> None:
    assert restart.nodes([node("a", AFTER)], ["a"], SINCE) == []
    stale = "the kubelet of node a has not reported since it stopped"
    assert restart.nodes([node("a", BEFORE)], ["a"], SINCE) == [stale]
    assert restart.nodes([{"metadata": {"name": "a"}}], ["a"], SINCE)[-1] == stale
    assert restart.nodes([node("a", AFTER, "False")], ["a", "b"], SINCE) == [
        "node b has not joined",
        "node a is not ready: starts",
    ]


def test_a_pod_counts_once_its_containers_started_again() -> None:
    assert restart.pods([pod(AFTER)], SINCE) == []
    assert restart.pods([pod(BEFORE)], SINCE) == ["pod web, container main: has not started again"]
    assert restart.pods([pod(AFTER, ready="False")], SINCE) == ["pod web: is starting"]


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_ended_does_not_start_again(phase: str) -> None:
    assert restart.pods([pod(BEFORE, phase)], SINCE) == []


@pytest.mark.parametrize("text", ["yesterday", "2026-11-30T17:00:00"])
def test_a_moment_without_time_zone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        restart.moment(text)
