# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Who may hold a Lease, and the words for the one who may not."""

import datetime
from types import SimpleNamespace
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.lock import lease
from ansible_collections.opendata.platform.plugins.module_utils.lock.held import shown
from hypothesis import given
from hypothesis import strategies as st
from kubernetes import client
from kubernetes.leaderelection.electionconfig import Config
from kubernetes.leaderelection.leaderelection import LeaderElection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

NOON = datetime.datetime(2026, 11, 28, 12, 0, tzinfo=datetime.UTC)
ANNA = lease.Run("laptop/1", "laptop", "anna on laptop, process 42", "ansible-playbook site.yml -i inventories/prd")
BERT = lease.Run("desk/2", "desk", "bert on desk, process 7", "ansible-playbook site.yml")


def after(seconds: float) -> datetime.datetime:
    return NOON + datetime.timedelta(seconds=seconds)


def held(run: lease.Run = ANNA, **spec: Any) -> dict[str, Any]:
    found = lease.taken(None, run, NOON, 30)
    found["metadata"]["resourceVersion"] = "5"
    found["spec"] |= spec
    return found


def test_the_words_say_who_where_since_when_what_and_until_when() -> None:
    assert lease.refusal("north", held(), after(10)) == (
        "Cluster north is in use by anna on laptop, process 42, since 2026-11-28 12:00:00 UTC: "
        "ansible-playbook site.yml -i inventories/prd (Lease kube-system/opendata-platform-fleet). "
        "Wait until that run has ended, or stop it. "
        "If that run is dead, the Lease expires in 21 seconds, at 2026-11-28 12:00:31 UTC."
    )


def test_a_lease_of_something_else_has_words_too() -> None:
    foreign = {"metadata": {}, "spec": {"holderIdentity": "x", "renewTime": "2026-11-28T12:00:00Z"}}
    assert "in use by x, since an unknown time: an unknown command (" in lease.refusal("north", foreign, NOON)


@given(st.floats(-60, 120, allow_nan=False), st.integers(1, 60))
def test_another_run_has_it_until_it_ends(passed: float, seconds: int) -> None:
    found = held(leaseDurationSeconds=seconds)
    assert lease.is_free(found, BERT, after(passed)) == (passed > seconds + 1)
    assert lease.is_free(found, ANNA, after(passed))


def test_nobody_a_dead_run_and_a_released_lease_hold_nothing() -> None:
    assert lease.is_free(None, BERT, NOON)
    assert lease.is_free(held(lease.Run("desk/1", "desk", "", "")), BERT, NOON)
    assert lease.is_free(held(holderIdentity=""), BERT, NOON)
    assert not lease.is_free(held(lease.Run("desktop/1", "desktop", "", "")), BERT, NOON)


def test_renewed_it_is_as_old_as_it_was_and_taken_over_it_is_new() -> None:
    renewed = lease.taken(held(), ANNA, after(10), 30)
    assert renewed["spec"]["acquireTime"] == "2026-11-28T12:00:00.000000Z"
    assert renewed["spec"]["renewTime"] == "2026-11-28T12:00:10.000000Z"
    over = lease.taken(held(), BERT, after(40), 30)
    assert over["spec"]["acquireTime"] == over["spec"]["renewTime"] == "2026-11-28T12:00:40.000000Z"
    assert over["metadata"]["resourceVersion"] == "5"


def test_values_of_extra_variables_are_not_shown() -> None:
    command = [
        "/bin/ansible-playbook",
        "site.yml",
        "-e",
        "password=hunter2 b=c",
        "--extra-vars",
        '{"token": "hunter2"}',
    ]
    assert shown([*command, "--extra-vars=key=hunter2", "-ekey=hunter2", "-e", "@vars.yml"]) == (
        "ansible-playbook site.yml -e password=... --extra-vars '{...}' --extra-vars=... -ekey=... -e @vars.yml"
    )


def test_the_leader_election_of_the_library_neither_takes_an_expired_lease_at_once_nor_deletes_one() -> None:
    now = datetime.datetime.now(datetime.UTC)
    renewed = now - datetime.timedelta(hours=1)
    lock = LeaseLock(lease.NAME, lease.NAMESPACE, BERT.identity)
    spec = client.V1LeaseSpec(
        holder_identity=ANNA.identity, lease_duration_seconds=30, acquire_time=renewed, renew_time=renewed
    )
    found = client.V1Lease(metadata=client.V1ObjectMeta(name=lease.NAME), spec=spec)
    lock.api_instance = SimpleNamespace(read_namespaced_lease=lambda *_: found)
    election = LeaderElection(Config(lock, 30, 20, 5, onstarted_leading=print, onstopped_leading=print))
    assert election.try_acquire_or_renew() is False
    assert lease.is_free(held(renewTime=renewed.isoformat()), BERT, now)
    assert not hasattr(lock, "delete") and not hasattr(lock, "release")
