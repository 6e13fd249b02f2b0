# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What is written to a cluster, whose it is, and when etcd has to restart; without a cluster."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.mesh.chart import LEAFS
from ansible_collections.opendata.platform.plugins.module_utils.mesh.peers.entries import parse_users
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki import secrets as trust
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki.certificates import (
    Pair,
    fingerprints,
    make_authority,
)
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki.leaf_certificates import leafs
from hypothesis import given
from hypothesis import strategies as st

Objects = dict[str, Any]
NOW = datetime(2026, 11, 24, tzinfo=UTC)
OLD, NEW = (make_authority("Cilium CA", 3650, NOW) for _ in range(2))
WANTED = leafs("north", "kube-system", "remote", [])
RUNNING: Objects = {
    "metadata": {"generation": 2},
    "spec": {"replicas": 1, "template": {"metadata": {}}},
    "status": {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
}


def wish(signer: Pair = OLD, bundle: str = "", **more: Any) -> trust.Wish:
    return trust.Wish("kube-system", WANTED, signer, bundle or signer.cert, **more)


def steps(live: Objects, asked: trust.Wish, deployment: Objects | None = None) -> dict[str, trust.Step]:
    return {step.role: step for step in trust.leaf_steps(asked, live, deployment, NOW)}


def applied(live: Objects, asked: trust.Wish, deployment: Objects | None = None) -> Objects:
    """The Secrets after the steps."""
    found = steps(live, asked, deployment)
    return {role: step.manifest if step.action != "unchanged" else live[role] for role, step in found.items()}


def test_certificates_come_before_the_install() -> None:
    found = steps({}, wish())
    assert list(found) == ["server", "admin", "local", "remote"]
    assert {step.action for step in found.values()} == {"issued"} and not any(step.mark for step in found.values())
    assert [step.manifest["metadata"] for step in found.values() if step.manifest] == [
        {"name": LEAFS[role], "namespace": "kube-system"} for role in found
    ]
    live = applied({}, wish())
    assert {step.action for step in steps(live, wish(), RUNNING).values()} == {"unchanged"}


def test_new_cas_leave_the_leafs_and_restart_etcd_once() -> None:
    live = applied({}, wish())
    both = wish(bundle=OLD.cert + NEW.cert)
    found = steps(live, both, RUNNING)
    assert {step.action for step in found.values()} == {"trust"}
    assert all(trust.pair_of(step.manifest) == trust.pair_of(live[role]) for role, step in found.items())
    mark = found["server"].mark
    assert mark and trust.restart_due(mark, RUNNING) and [step.mark for step in found.values()][1:] == ["", "", ""]
    after = applied(live, both, RUNNING)
    again = steps(after, both, RUNNING)
    assert {step.action for step in again.values()} == {"unchanged"}
    assert trust.restart_due(again["server"].mark, RUNNING), "a run that ended before the restart is made good"
    restarted = {**RUNNING, "spec": {"template": {"metadata": {"annotations": {trust.MARK: mark}}}}}
    assert not trust.restart_due(again["server"].mark, restarted)
    switched = steps(after, wish(NEW, OLD.cert + NEW.cert), restarted)
    assert {step.reasons for step in switched.values()} == {("not signed by the current CA",)}
    assert not trust.restart_due(switched["server"].mark, restarted), "new leafs need no restart"


def test_the_order_of_a_bundle_is_no_difference() -> None:
    live = applied({}, wish(bundle=OLD.cert + NEW.cert))
    found = steps(live, wish(bundle=NEW.cert + OLD.cert), RUNNING)
    assert {step.action for step in found.values()} == {"unchanged"}


@pytest.mark.parametrize(
    ("live", "available", "due"),
    [
        (True, 1, True),
        (True, 0, True),  # a pod may run and not be ready
        (False, 1, True),  # its Secrets were removed while it ran
        (False, 0, False),  # it waits for the Secrets
        (True, None, False),  # not installed yet
    ],
)
def test_when_a_change_of_the_cas_needs_a_restart(live: bool, available: int | None, due: bool) -> None:
    deployment = None if available is None else {**RUNNING, "status": {"availableReplicas": available}}
    present = {"metadata": {}} if live else None
    assert trust.restart_due(trust.mark(present, [], ["b"], deployment), deployment) is due


@pytest.mark.parametrize(
    ("status", "done"),
    [
        ({}, True),
        ({"observedGeneration": 1}, False),
        ({"updatedReplicas": 0}, False),
        ({"availableReplicas": 0}, False),
        ({"replicas": 2}, False),  # the old pod still serves
    ],
)
def test_when_it_is_rolled_out(status: Objects, done: bool) -> None:
    assert trust.rolled_out([{**RUNNING, "status": {**RUNNING["status"], **status}}]) is done
    assert not trust.rolled_out([])


def test_a_damaged_secret_is_written_anew() -> None:
    live = applied({}, wish())
    live["admin"] = {**live["admin"], "data": {"ca.crt": "%%%", "tls.crt": base64.b64encode(b"\xff").decode()}}
    found = steps(live, wish())
    assert {role: step.reasons for role, step in found.items() if step.action != "unchanged"} == {
        "admin": ("tls.crt cannot be read",)
    }


def test_check_mode_makes_no_certificate() -> None:
    found = steps({}, wish(check=True))
    assert [step.manifest for step in found.values()] == [None] * 4
    assert found["admin"].after == {
        "cn": "admin-north",
        "sans": [],
        "not_after": "",
        "days_left": 0,
        "sha256": "",
        "ca": fingerprints(OLD.cert),
    }


def test_a_diff_shows_what_a_person_needs_and_no_key() -> None:
    live = applied({}, wish())
    entry = steps(live, wish(force=True))["admin"].diff()
    assert entry["before_header"] == "Secret kube-system/clustermesh-apiserver-admin-cert"
    assert entry["before"] != entry["after"]
    for side in (entry["before"], entry["after"]):
        assert "cn: admin-north" in side and "not_after: '2027-11-24T00:00:00Z'" in side and "sha256: " in side
        assert "PRIVATE" not in side and "days_left" not in side
    assert "PRIVATE" not in str(steps(live, wish(force=True))) and "tls.key" not in str(steps(live, wish(force=True)))


def secret(**metadata: Any) -> Objects:
    return {"metadata": metadata, "type": "kubernetes.io/tls"}


def fields(manager: str, operation: str = "Apply") -> list[Objects]:
    return [{"manager": manager, "operation": operation, "fieldsV1": {"f:data": {}}}]


HELM = {"app.kubernetes.io/managed-by": "Helm"}
OWNER = {"kind": "ExternalSecret", "name": "tls"}


@pytest.mark.parametrize(
    ("live", "cron_job", "expected"),
    [
        (None, True, ""),
        (secret(), False, ""),
        (secret(labels=HELM), True, "helm"),
        (secret(annotations={"cert-manager.io/certificate-name": "x"}), False, "certmanager"),
        (secret(), True, "cronJob"),
        (secret(ownerReferences=[OWNER]), False, "ExternalSecret tls"),
        (secret(managedFields=fields("kustomize-controller")), False, "kustomize-controller"),
        (secret(managedFields=fields("cilium-clustermesh-ansible")), False, ""),
        (secret(managedFields=fields("kubectl-edit", "Update")), False, ""),
        (secret(managedFields=[{**fields("labels")[0], "fieldsV1": {"f:metadata": {}}}]), False, ""),
    ],
)
def test_who_else_writes_it(live: Objects | None, cron_job: bool, expected: str) -> None:
    assert trust.owner(live, cron_job) == expected


def test_what_others_write_is_refused_all_at_once() -> None:
    live = {
        "server": secret(labels=HELM),
        "admin": secret(ownerReferences=[OWNER]),
        "remote": {**secret(), "type": "Opaque"},
        "bundle": secret(labels=HELM),
        "users": secret(labels=HELM),
    }
    found = [
        "Secret clustermesh-apiserver-server-cert is rendered by Helm (method helm) and would be overwritten; set "
        "clustermesh.apiserver.tls.auto.enabled=false and (before 1.20) enableSecrets=false, or use mode=shared_ca",
        "Secret clustermesh-apiserver-admin-cert is managed by ExternalSecret tls and would be overwritten; "
        "remove it there, then run again",
        "Secret clustermesh-apiserver-remote-cert is of type Opaque, which cannot be changed; "
        "delete it, then run again",
        "ConfigMap cilium-root-ca.crt is rendered by Helm and would be overwritten; leave tls.caBundle.content empty",
        "ConfigMap clustermesh-remote-users is rendered by Helm and would be overwritten; "
        "set clustermesh.config.enabled=false",
    ]
    assert trust.refusals(live, users_due=True) == found
    assert trust.refusals(live, users_due=False) == found[:-1]
    other = {"bundle": secret(managedFields=fields("flux"))}
    assert trust.refusals(other, users_due=False) == [
        "ConfigMap cilium-root-ca.crt is managed by flux and would be overwritten; remove it there, then run again"
    ]


def test_the_shared_ca_is_helms_from_the_first_day() -> None:
    step = trust.authority_step("kube-system", None, OLD, "cilium")
    assert step.manifest and step.manifest["metadata"] == {
        "name": "cilium-ca",
        "namespace": "kube-system",
        "labels": HELM,
        "annotations": {"meta.helm.sh/release-name": "cilium", "meta.helm.sh/release-namespace": "kube-system"},
    }
    assert trust.authority_step("kube-system", step.manifest, OLD, "cilium").action == "unchanged"
    assert trust.authority_step("kube-system", step.manifest, OLD, "other").action == "written"
    assert "PRIVATE" not in str(step) and OLD.key[40:80] not in str(step.diff())


def test_another_shared_ca_is_never_overwritten() -> None:
    live = trust.authority_step("kube-system", None, OLD, "cilium").manifest
    with pytest.raises(ValueError) as caught:
        trust.authority_step("kube-system", live, NEW, "cilium")
    assert str(caught.value) == (
        f"Secret cilium-ca holds another CA (sha256 {fingerprints(OLD.cert)[0][:16]}) than "
        f"ca_cert ({fingerprints(NEW.cert)[0][:16]}), and the next run of the chart would reissue everything; begin "
        "with that CA (cilium_clustermesh_ca, adopt_from) and rotate, or delete the Secret"
    )


def test_the_bundle() -> None:
    both = OLD.cert + NEW.cert
    first = trust.bundle_step("kube-system", None, both, None)
    assert (first.action, first.mark) == ("written", "")
    assert trust.bundle_step("kube-system", first.manifest, NEW.cert + OLD.cert, RUNNING).action == "unchanged"
    assert trust.restart_due(trust.bundle_step("kube-system", first.manifest, NEW.cert, RUNNING).mark, RUNNING)


names = st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,5}", fullmatch=True), unique=True)


@given(names, names)
def test_whoever_may_log_in_already_may_go_on(before: list[str], wanted: list[str]) -> None:
    first = trust.users_config(None, "kube-system", before)
    assert first, "also an empty one: clustermesh-apiserver does not start without it"
    after = trust.users_config(first, "kube-system", wanted) or first
    assert set(parse_users(after["data"]["users.yaml"])) == {f"remote-{name}" for name in {*before, *wanted}}
    assert trust.users_config(after, "kube-system", wanted) is None


def test_users_as_the_chart_writes_them() -> None:
    found = trust.users_config(None, "kube-system", ["south", "east"])
    text = "users:\n- name: remote-east\n  role: remote\n- name: remote-south\n  role: remote\n"
    assert found and found["data"] == {"users.yaml": text}
    empty = trust.users_config(None, "kube-system", [])
    assert empty and empty["data"] == {"users.yaml": "users:\n"}
