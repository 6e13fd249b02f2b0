# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Objects in, states out: each way in which an object of Flux is ready or not, in its own words."""

from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.flux.readiness import (
    Key,
    State,
    judge,
    runs_pods,
    workloads,
)
from hypothesis import given
from hypothesis import strategies as st

import flux_objects as flux
from flux_objects import NEW, OLD

Object = dict[str, Any]
DAGSTER = flux.kustomization("dagster")
HELM = flux.made("HelmRelease", "trino", "trino", interval="1h")
CHART = {"spec": {"chart": "trino", "version": "9", "sourceRef": {"kind": "HelmRepository", "name": "trino"}}}
INSTALL = "Helm install failed for release trino/trino with chart trino@9: timeout waiting for: "
RUNNING = "Running 'install' action with timeout of 5m0s"
DRY_RUN = (
    'Deployment/dagster/web dry-run failed (Invalid): Deployment.apps "web" is invalid:\n\nspec.selector: Required'
)
TAG = "no 'trino' chart with version matching '9' found"


BEHIND = "is at revision latest@sha256:000000000000, not at latest@sha256:111111111111"
UNSEEN = "its last change has not been observed yet"
BUILD = "accumulating resources: accumulation err='accumulating resources from 'x.yaml'"
TRIES = "Failed to install after 1 attempt(s)"
PULL = "failed to determine artifact digest: UNAUTHORIZED: authentication required"
MEMBER = "trino_trino_helm.toolkit.fluxcd.io_HelmRelease"


def of(found: list[State], kind: str, name: str) -> State:
    return next(state for state in found if (state.key.kind, state.key.name) == (kind, name))


@pytest.mark.parametrize(
    ("item", "state", "reason"),
    [
        (flux.applied(DAGSTER), "ready", ""),
        (flux.applied(DAGSTER, OLD), "waiting", BEHIND),
        (DAGSTER, "waiting", UNSEEN),
        (flux.checking(DAGSTER), "waiting", f"Running health checks for revision {NEW} with a timeout of 5m0s"),
        (flux.failed(DAGSTER, "BuildFailed", BUILD), "waiting", BUILD),
        (flux.failed(DAGSTER, "ReconciliationFailed", DRY_RUN), "waiting", " ".join(DRY_RUN.split())),
        (
            flux.unhealthy(DAGSTER, "Deployment/dagster/web"),
            "waiting",
            "health check failed after 5m0s: timeout waiting for: [Deployment/dagster/web status: 'InProgress']",
        ),
        (flux.stalled(DAGSTER, "AccessDenied", "can't access it"), "failed", "can't access it"),
        (flux.applied(flux.kustomization("dagster", suspend=True)), "suspended", ""),
        (
            flux.applied(flux.kustomization("dagster", suspend=True), OLD),
            "suspended",
            BEHIND,
        ),
    ],
)
def test_a_kustomization(item: Object, state: str, reason: str) -> None:
    found = of(judge(flux.by_kind(flux.source(), item), NEW), "Kustomization", "dagster")
    assert (found.state, found.reason) == (state, reason)


@pytest.mark.parametrize(
    ("item", "state", "reason"),
    [
        (flux.said(HELM, flux.condition("Ready", "True", "InstallSucceeded", "Helm install succeeded")), "ready", ""),
        (flux.said(HELM, flux.condition("Ready", "Unknown", "Progressing", RUNNING)), "waiting", RUNNING),
        (flux.failed(HELM, "InstallFailed", INSTALL), "waiting", INSTALL.strip()),
        (flux.stalled(HELM, "RetriesExceeded", TRIES), "failed", TRIES),
        (flux.made("HelmRepository", "trino", "trino", type="oci", url="oci://x"), "ready", ""),
        (flux.made("HelmRepository", "trino", "trino", url="https://x"), "waiting", UNSEEN),
        (
            flux.failed(flux.made("OCIRepository", "trino", "trino"), "OCIArtifactPullFailed", PULL),
            "waiting",
            PULL,
        ),
        (flux.stalled(flux.made("Bucket", "trino", "trino"), "URLInvalid", "bad"), "failed", "bad"),
    ],
)
def test_releases_and_sources(item: Object, state: str, reason: str) -> None:
    (found,) = judge(flux.by_kind(item))
    assert (found.state, found.reason) == (state, reason)


@pytest.mark.parametrize("kind", ["Kustomization", "HelmRelease", "GitRepository", "HelmChart"])
def test_what_was_said_of_an_older_generation_is_history(kind: str) -> None:
    item = flux.made(kind, "x", sourceRef=flux.PLATFORM)
    for status in ("True", "False"):
        old = flux.said(
            item, flux.condition("Ready", status, "R", "old"), flux.condition("Stalled", "True", "R", "old")
        )
        old["metadata"] = {**old["metadata"], "generation": 2}
        (found,) = judge(flux.by_kind(old))
        assert (found.state, found.reason, found.failing) == ("waiting", UNSEEN, False)


def test_what_was_observed_counts_where_a_condition_has_no_generation() -> None:
    item = flux.applied(DAGSTER)
    (ready,) = item["status"]["conditions"]
    del ready["observedGeneration"]
    assert of(judge(flux.by_kind(item)), "Kustomization", "dagster").state == "ready"
    item["status"]["observedGeneration"] = -1
    assert of(judge(flux.by_kind(item)), "Kustomization", "dagster").reason == UNSEEN


def test_what_is_being_deleted_is_waited_for() -> None:
    for item, reason in ((flux.applied(DAGSTER), ""), (flux.failed(DAGSTER, "PruneFailed", "denied"), ": denied")):
        item["metadata"] = {**item["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
        found = of(judge(flux.by_kind(flux.source(), item), NEW), "Kustomization", "dagster")
        assert (found.state, found.reason) == ("waiting", f"is being deleted{reason}")


@pytest.mark.parametrize(
    ("item", "looks"),
    [
        (flux.unhealthy(DAGSTER, "Deployment/dagster/web"), True),
        (flux.checking(DAGSTER), True),
        (flux.failed(HELM, "UpgradeFailed", "x"), True),
        (flux.failed(HELM, "ValuesError", "x"), False),
        (flux.failed(DAGSTER, "BuildFailed", "x"), False),
        (flux.failed(DAGSTER, "ReconciliationFailed", "x"), False),
        (flux.made("Bucket", "b"), False),
    ],
)
def test_pods_are_looked_at_where_something_was_applied(item: Object, looks: bool) -> None:
    assert runs_pods(judge(flux.by_kind(item))[0]) is looks


def test_without_wait_only_its_health_checks_are_waited_for() -> None:
    named = {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "name": "trino", "namespace": "trino"}
    for checks, waits in (([named], (Key("HelmRelease", "trino", "trino"),)), ([], ())):
        item = flux.checking(flux.kustomization("trino", wait=False, healthChecks=checks), MEMBER)
        assert of(judge(flux.by_kind(flux.source(), item, HELM)), "Kustomization", "trino").waits_for == waits


def test_without_a_revision_the_newest_of_its_source_is_wanted() -> None:
    found = of(judge(flux.by_kind(flux.source(NEW), flux.applied(DAGSTER, OLD))), "Kustomization", "dagster")
    assert found.reason == BEHIND
    assert not any(state.reason for state in judge(flux.by_kind(flux.source(OLD), flux.applied(DAGSTER, OLD))))


def test_the_revision_belongs_to_one_source() -> None:
    other = {"kind": "GitRepository", "name": "other"}
    theirs = flux.applied(flux.kustomization("theirs", sourceRef=other), "main@sha1:1")
    found = judge(flux.by_kind(flux.source(), flux.applied(DAGSTER), theirs), NEW)
    assert [state.reason for state in found] == ["", "", ""]
    source = of(judge(flux.by_kind(flux.source(OLD), flux.applied(DAGSTER)), NEW), "OCIRepository", "platform")
    assert source.reason == BEHIND


def test_nothing_takes_from_the_source() -> None:
    (*_, last) = judge(flux.by_kind(flux.source()), NEW)
    assert (str(last.key), last.state, last.reason) == (
        "Source flux-system/platform",
        "waiting",
        "no Kustomization uses it yet",
    )
    (only,) = judge({}, NEW)
    assert (only.state, only.reason) == ("failed", "the cluster serves no Kustomizations, Flux is not installed")
    assert judge({}) == []


def test_what_waits_for_what() -> None:
    release = {**HELM, "spec": {"interval": "1h", "chart": CHART}}
    chart = flux.made("HelmChart", "trino-trino", "trino", **CHART["spec"])
    found = judge(
        flux.by_kind(
            flux.source(),
            flux.unhealthy(flux.kustomization("postgres"), "Deployment/postgres/postgres"),
            flux.blocked(flux.kustomization("dagster", "postgres"), "postgres"),
            flux.checking(flux.kustomization("trino"), MEMBER, "_trino__Namespace"),
            flux.failed(release, "SourceNotReady", f"HelmChart 'trino/trino-trino' is not ready: {TAG}"),
            flux.stalled(chart, "InvalidChartReference", f"invalid chart reference: {TAG}"),
            flux.made("HelmRepository", "trino", "trino", type="oci", url="oci://x"),
        ),
        NEW,
    )
    assert {state.key.kind + " " + state.key.name: (*map(str, state.waits_for),) for state in found} == {
        "Kustomization dagster": ("Kustomization flux-system/postgres",),
        "Kustomization postgres": (),
        "Kustomization trino": ("HelmRelease trino/trino",),
        "HelmRelease trino": ("HelmChart trino/trino-trino",),
        "OCIRepository platform": (),
        "HelmRepository trino": (),
        "HelmChart trino-trino": (),
    }
    assert [state.key.name for state in found if state.is_blocked] == ["dagster", "trino"]
    assert [state.key.name for state in found if runs_pods(state)] == ["postgres"]


@pytest.mark.parametrize(
    ("owner", "is_final"),
    [
        (flux.applied(flux.kustomization("trino"), OLD), False),
        (flux.failed(flux.kustomization("trino"), "BuildFailed", "x"), False),
        (flux.checking(flux.kustomization("trino"), revision=OLD), False),
        (flux.checking(flux.kustomization("trino")), True),
        (flux.unhealthy(flux.kustomization("trino"), "HelmRelease/trino/trino"), True),
        (flux.applied(flux.kustomization("trino")), True),
    ],
)
def test_a_stall_counts_once_its_owner_has_applied_the_revision(owner: Object, is_final: bool) -> None:
    release = flux.owned(flux.stalled(HELM, "RetriesExceeded", "Failed"), "Kustomization", "trino")
    root = flux.applied(flux.kustomization("platform"))
    found = judge(flux.by_kind(flux.source(), root, flux.owned(owner, "Kustomization", "platform"), release), NEW)
    assert of(found, "HelmRelease", "trino").state == ("failed" if is_final else "waiting")


def test_owners_in_a_circle_end() -> None:
    one = flux.owned(flux.stalled(flux.kustomization("one"), "AccessDenied", "x"), "Kustomization", "one")
    assert of(judge(flux.by_kind(one)), "Kustomization", "one").state == "failed"


def test_where_the_pods_are() -> None:
    item = flux.unhealthy(DAGSTER, "Deployment/dagster/web", "Job/jobs/init")
    key = Key("Kustomization", "flux-system", "dagster")
    reason = item["status"]["conditions"][1]["message"]
    assert workloads(key, item, reason) == {"dagster": {"web"}, "jobs": {"init"}}
    checking = flux.checking(DAGSTER, "dagster_web_apps_Deployment", "_dagster__Namespace", "x_a__b_rbac_Role")
    assert workloads(key, checking, "in progress") == {"dagster": set(), "x": set()}
    release = flux.made("HelmRelease", "trino", "flux-system", targetNamespace="trino")
    assert workloads(Key("HelmRelease", "flux-system", "trino"), release, INSTALL) == {"trino": set()}


STATUS = st.sampled_from(["True", "False", "Unknown"])


NUMBER = st.integers(1, 3)


@given(ready=STATUS, stalled=STATUS, observed=NUMBER, generation=NUMBER, revision=st.sampled_from([OLD, NEW, ""]))
def test_ready_is_only_what_is_so_of_this_generation_and_revision(
    ready: str, stalled: str, observed: int, generation: int, revision: str
) -> None:
    item = flux.kustomization("x")
    item["metadata"]["generation"] = generation
    conditions = [
        flux.condition("Ready", ready, "R", "m", observed),
        flux.condition("Stalled", stalled, "R", "m", observed),
    ]
    item["status"] = {"observedGeneration": observed, "conditions": conditions, "lastAppliedRevision": revision}
    found = of(judge(flux.by_kind(flux.source(), item), NEW), "Kustomization", "x")
    assert (found.state == "ready") == (ready == "True" and observed == generation and revision == NEW)
    assert (found.state == "ready") == (found.reason == "")
    assert found.state != "failed" or (stalled == "True" and observed == generation)
