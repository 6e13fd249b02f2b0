# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""When a failure is final, what is remembered between attempts, when nothing is left to wait for, and the words."""

from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.flux import report
from ansible_collections.opendata.platform.plugins.module_utils.flux.readiness import Key, State, judge
from ansible_collections.opendata.platform.plugins.module_utils.flux.watch import Clock, is_decided, limit
from hypothesis import given
from hypothesis import strategies as st

import flux_objects as flux
from flux_objects import NEW, OLD

Object = dict[str, Any]
POSTGRES = flux.kustomization("postgres")
BROKEN = flux.unhealthy(POSTGRES, "Deployment/postgres/postgres")
WORDS = "health check failed after 5m0s: timeout waiting for: [Deployment/postgres/postgres status: 'InProgress']"


def look(clock: Clock, now: float, *items: Object, source: Object | None = None) -> list[State]:
    return clock.look(judge(flux.by_kind(source or flux.source(), *items), NEW), now)


def kustomizations(states: list[State]) -> list[tuple[str, str, str]]:
    return [(each.key.name, each.state, each.reason) for each in states if each.key.kind == "Kustomization"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("300s", 300), ("5m0s", 300), ("1h30m", 5400), ("500ms", 0.5), ("1.5m", 90), (None, 0)]
)
def test_the_time_of_a_service(text: str | None, seconds: float) -> None:
    item = flux.kustomization("x", **({"timeout": text} if text else {}))
    if text is None:
        del item["spec"]["timeout"]
    (state,) = judge(flux.by_kind(item))
    assert limit(state) == seconds


def test_a_failure_is_final_when_its_time_is_over() -> None:
    clock = Clock(0)
    assert kustomizations(look(clock, 1, BROKEN)) == [("postgres", "waiting", WORDS)]
    states = look(clock, 300, BROKEN)
    assert (states[0].state, clock.next(states, 300)) == ("waiting", 301)
    assert kustomizations(look(clock, 301, BROKEN)) == [("postgres", "failed", WORDS)]


def test_without_a_failure_its_controller_has_the_last_word() -> None:
    clock = Clock(0)
    look(clock, 0, flux.checking(POSTGRES))
    states = look(clock, 400, flux.checking(POSTGRES))
    assert (states[0].state, clock.next(states, 400)) == ("waiting", None)
    assert look(clock, 401, BROKEN)[0].state == "failed"


def test_its_time_begins_when_what_it_requires_is_ready() -> None:
    clock = Clock(0)
    dagster = flux.kustomization("dagster", "postgres")
    look(clock, 0, flux.checking(POSTGRES), flux.blocked(dagster, "postgres"))
    waits = look(clock, 299, flux.applied(POSTGRES), flux.blocked(dagster, "postgres"))
    assert waits[0].state == "waiting"
    found = look(clock, 598, flux.applied(POSTGRES), flux.unhealthy(dagster, "Deployment/dagster/web"))
    assert found[0].state == "waiting"
    found = look(clock, 599, flux.applied(POSTGRES), flux.unhealthy(dagster, "Deployment/dagster/web"))
    assert found[0].state == "failed"


def test_its_time_begins_anew_when_what_it_requires_was_lost() -> None:
    clock = Clock(0)
    dagster = flux.kustomization("dagster", "postgres")
    broken = flux.unhealthy(dagster, "Deployment/dagster/web")
    look(clock, 0, flux.applied(POSTGRES), broken)
    look(clock, 200, BROKEN, flux.blocked(dagster, "postgres"))
    look(clock, 250, flux.applied(POSTGRES), broken)
    assert look(clock, 549, flux.applied(POSTGRES), broken)[0].state == "waiting"
    assert look(clock, 550, flux.applied(POSTGRES), broken)[0].state == "failed"


def test_a_failure_is_shown_while_it_is_tried_again_but_not_for_another_revision() -> None:
    clock = Clock(0)
    look(clock, 0, BROKEN)
    assert kustomizations(look(clock, 1, flux.checking(POSTGRES))) == [("postgres", "waiting", WORDS)]
    other = f"latest@sha256:{'2' * 64}"
    states = judge(flux.by_kind(flux.source(other), flux.checking(POSTGRES, revision=other)), other)
    assert clock.look(states, 2)[0].reason == f"Running health checks for revision {other} with a timeout of 5m0s"


@pytest.mark.parametrize(
    "passing",
    [
        flux.blocked(POSTGRES, "gone"),
        flux.failed(POSTGRES, "ArtifactFailed", "Source artifact not found, retrying in 30s"),
        flux.failed(POSTGRES, "HealthCheckCanceled", "New reconciliation triggered by OCIRepository/a/b"),
        flux.failed(POSTGRES, "BuildFailed", "x", lastAttemptedRevision=OLD),
    ],
)
def test_what_is_no_failure_of_this_revision_is_forgotten(passing: Object) -> None:
    passing["status"]["lastAttemptedRevision"] = passing["status"].get("lastAttemptedRevision", NEW)
    clock = Clock(0)
    look(clock, 0, passing)
    states = look(clock, 400, flux.checking(POSTGRES))
    assert kustomizations(states) == [
        ("postgres", "waiting", f"Running health checks for revision {NEW} with a timeout of 5m0s")
    ]


def test_seconds_until_ready() -> None:
    clock = Clock(10)
    look(clock, 12, flux.applied(POSTGRES))
    assert clock.took[Key("Kustomization", "flux-system", "postgres")] == 2
    look(clock, 13, BROKEN)
    assert [*clock.took] == [Key("OCIRepository", "flux-system", "platform")]
    look(clock, 15, flux.applied(POSTGRES))
    assert clock.took[Key("Kustomization", "flux-system", "postgres")] == 5


DAGSTER = flux.blocked(flux.kustomization("dagster", "postgres"), "postgres")
GIVEN_UP = flux.stalled(POSTGRES, "AccessDenied", "no")
STOPPED = flux.applied(flux.kustomization("postgres", suspend=True), OLD)
RELEASE = flux.owned(flux.failed(flux.made("HelmRelease", "p", "p"), "InstallFailed", "x"), "Kustomization", "postgres")


@pytest.mark.parametrize(
    ("items", "decided"),
    [
        ([flux.applied(POSTGRES)], True),
        ([BROKEN], False),
        ([GIVEN_UP], True),
        ([GIVEN_UP, DAGSTER], True),
        ([GIVEN_UP, RELEASE], True),
        ([BROKEN, RELEASE], False),
        ([GIVEN_UP, DAGSTER, flux.checking(flux.kustomization("trino"))], False),
        ([GIVEN_UP, DAGSTER, flux.blocked(flux.kustomization("superset", "dagster"), "dagster")], True),
        ([STOPPED], True),
        ([STOPPED, DAGSTER], True),
        ([flux.blocked(flux.kustomization("a", "b"), "b"), flux.blocked(flux.kustomization("b", "a"), "a")], False),
    ],
)
def test_when_nothing_is_left_to_wait_for(items: list[Object], decided: bool) -> None:
    assert is_decided(look(Clock(0), 0, *items)) is decided


def test_a_parent_that_waits_does_not_give_up_its_other_children() -> None:
    names = ("postgres", "trino")
    root = flux.checking(
        flux.kustomization("platform"),
        *[f"flux-system_{name}_kustomize.toolkit.fluxcd.io_Kustomization" for name in names],
    )
    trino = flux.owned(flux.checking(flux.kustomization("trino")), "Kustomization", "platform")
    states = look(Clock(0), 0, root, flux.owned(GIVEN_UP, "Kustomization", "platform"), trino)
    assert states[1].state == "failed" and not is_decided(states)


def test_one_line_of_progress() -> None:
    states = look(Clock(0), 0, BROKEN, DAGSTER, flux.applied(flux.kustomization("trino")), flux.made("Bucket", "b"))
    assert report.progress(states) == (
        "2 of 5 ready; waits for: postgres (health check failed after 5m0s: timeout waiting for: "
        "[Deployment/postgres/postgres status: 'InProgr…), Bucket b (its last change has not been observed yet)"
    )
    assert report.progress(look(Clock(0), 0, flux.applied(POSTGRES), STOPPED)) == "1 of 1 ready"
    many = report.progress(look(Clock(0), 0, *[flux.kustomization(f"s{number}") for number in range(5)]))
    assert many.endswith("s2 (its last change has not been observed yet), 2 more")


def test_the_message_has_causes_first() -> None:
    superset = flux.blocked(flux.kustomization("superset", "dagster"), "dagster")
    stopped = flux.applied(flux.kustomization("old", suspend=True), OLD)
    states = look(Clock(0), 0, DAGSTER, superset, stopped, BROKEN)
    details = {Key("Kustomization", "flux-system", "postgres"): ["pod postgres-0: unschedulable"]}
    assert report.failure(states, details, NEW, 900).splitlines() == [
        "Not all that Flux delivers is ready at revision latest@sha256:111111111111 after 900 s:",
        f"Kustomization flux-system/postgres: {WORDS}",
        "  pod postgres-0: unschedulable",
        "Kustomization flux-system/dagster waits for Kustomization flux-system/postgres: "
        "dependency 'flux-system/postgres' is not ready",
        "Kustomization flux-system/superset waits for Kustomization flux-system/postgres: "
        "dependency 'flux-system/dagster' is not ready",
        "Kustomization flux-system/old is suspended and was not waited for",
        "Fix the first object above and run again; Flux keeps retrying meanwhile.",
    ]


def test_a_suspended_cause_and_a_circle_are_named() -> None:
    assert report.reason(look(Clock(0), 0, STOPPED, DAGSTER)) == (
        "Kustomization flux-system/dagster waits for Kustomization flux-system/postgres (suspended): "
        "dependency 'flux-system/postgres' is not ready"
    )
    circle = [flux.blocked(flux.kustomization("a", "b"), "b"), flux.blocked(flux.kustomization("b", "a"), "a")]
    assert report.reason(look(Clock(0), 0, *circle)).splitlines() == [
        "Kustomization flux-system/a waits for Kustomization flux-system/b: dependency 'flux-system/b' is not ready",
        "Kustomization flux-system/b waits for Kustomization flux-system/a: dependency 'flux-system/a' is not ready",
    ]


@given(st.lists(st.tuples(st.booleans(), st.sets(st.integers(0, 5))), min_size=1, max_size=6))
def test_each_that_is_not_ready_is_named_once_whatever_depends_on_what(graph: list[tuple[bool, set[int]]]) -> None:
    items = []
    for number, (well, needs) in enumerate(graph):
        item = flux.kustomization(f"s{number}", *[f"s{each}" for each in sorted(needs)])
        items.append(
            flux.applied(item) if well else flux.stalled(item, "R", "m") if not needs else flux.blocked(item, "x")
        )
    states = look(Clock(0), 0, *items)
    lines = report.reason(states).splitlines()
    unhealthy = [f"Kustomization flux-system/s{number}" for number, (well, _needs) in enumerate(graph) if not well]
    assert sorted(" ".join(line.split()[:2]).rstrip(":") for line in lines) == unhealthy
    assert report.progress(states).startswith(f"{len(graph) - len(unhealthy) + 1} of {len(graph) + 1} ready")
    waits = [" waits for " in line for line in lines]
    assert waits == sorted(waits)
    is_decided(states)
