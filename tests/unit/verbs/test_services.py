# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What a run and the verbs tell of services: names, rows, the table, the JSON."""

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.callback.report import CallbackModule
from ansible_collections.opendata.platform.plugins.module_utils.report import services as report
from ansible_collections.opendata.platform.plugins.module_utils.service import catalogue


def entry(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "namespace": name, "host": name, "version": "1.2.3", **more}


def flux(name: str, reason: str = "", kind: str = "Kustomization", revision: str = "") -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "namespace": "flux-system",
        "ready": not reason,
        "revision": revision or f"latest@sha256:{'0123456789ab' * 5}cdef",
        "reason": reason,
    }


def test_the_first_cluster_has_the_short_name_and_every_one_its_own() -> None:
    described = {
        "south": [entry("dagster"), entry("superset", host="bi")],
        "north": [entry("dagster"), entry("postgres", host="")],
    }
    assert report.hostnames(described) == {
        ("north", "dagster"): ["dagster.localhost", "dagster.north.localhost"],
        ("south", "dagster"): ["dagster.south.localhost"],
        ("south", "superset"): ["bi.localhost", "bi.south.localhost"],
    }


def test_a_service_is_ready_when_all_its_objects_are() -> None:
    (row,) = report.rows(
        {"north": [entry("dagster")]}, {"north": [flux("dagster"), flux("dagster", kind="HelmRelease")]}
    )
    assert row == {
        "name": "dagster",
        "cluster": "north",
        "ready": True,
        "waiting": False,
        "version": "1.2.3",
        "revision": "0123456789ab",
        "reason": "",
        "url": "http://dagster.localhost:8080",
    }


@pytest.mark.parametrize(
    ("described", "seen", "reason"),
    [
        (
            [entry("dagster")],
            [flux("dagster"), flux("dagster", "install failed", "HelmRelease")],
            "HelmRelease: install failed",
        ),
        ([entry("dagster")], [], "Flux has no object of it yet"),
        ([], [flux("dagster", "no such image")], "Kustomization: no such image"),
    ],
)
def test_a_service_that_is_not_ready_is_a_fault(described: list, seen: list, reason: str) -> None:
    found = report.rows({"north": described}, {"north": seen})
    assert [(row["ready"], row["waiting"], row["reason"]) for row in found] == [(False, False, reason)]
    assert report.joined({"ok": True, "clusters": []}, found)["ok"] is False


def test_a_service_that_waits_is_shown_and_no_fault() -> None:
    found = report.rows(
        {"north": [entry("keycloak", waiting="no image"), entry("dagster")]}, {"north": [flux("dagster")]}
    )
    assert [(row["name"], row["ready"], row["waiting"], row["reason"]) for row in found] == [
        ("dagster", True, False, ""),
        ("keycloak", False, True, "no image"),
    ]
    assert report.joined({"ok": True, "clusters": []}, found) == {"ok": True, "clusters": [], "services": found}
    assert report.joined({"ok": False, "clusters": []}, found)["ok"] is False


def test_what_a_person_suspended_is_no_fault_as_long_as_nothing_else_is() -> None:
    suspended = {**flux("dagster", "suspended"), "state": "suspended"}
    (row,) = report.rows({"north": [entry("dagster")]}, {"north": [suspended]})
    assert (row["ready"], row["waiting"], row["reason"]) == (False, True, "Kustomization: suspended")
    failed = {**flux("dagster", "no image", "HelmRelease"), "state": "failed"}
    (row,) = report.rows({"north": [entry("dagster")]}, {"north": [suspended, failed]})
    assert (row["ready"], row["waiting"]) == (False, False)


def test_a_public_address_wins_over_that_of_the_tunnel() -> None:
    described = {"north": [entry("dagster", url="https://dagster.example.org"), entry("postgres", host="")]}
    assert [row["url"] for row in report.rows(described, {})] == ["https://dagster.example.org", ""]


def test_table_has_a_line_for_each_service_below_the_clusters() -> None:
    described = {"north": [entry("dagster"), entry("keycloak", waiting="no\n image", version="")]}
    assert report.table(report.rows(described, {"north": [flux("dagster")]})) == [
        "",
        "service   cluster  ready        version  revision      url                             reason",
        "dagster   north    yes          1.2.3    0123456789ab  http://dagster.localhost:8080   ok",
        "keycloak  north    unavailable  -        -             http://keycloak.localhost:8080  no image",
    ]
    assert report.table([]) == []


def test_the_callback_collects_what_flux_ready_returns_also_when_it_failed() -> None:
    callback = CallbackModule()
    callback._clusters, callback._seconds = {"north"}, {"status": 1.0}
    callback._seen["north"] = {"kubernetes": "v1", "cilium": "1", "nodes": 0, "nodes_ready": 0, "reason": ""}
    task = SimpleNamespace(action="opendata.platform.flux_ready", run_once=False, get_name=lambda: "Services")
    host = SimpleNamespace(get_name=lambda: "north")
    data = {"services": [flux("dagster", "no such image")], "described": [entry("dagster")]}
    callback.v2_runner_on_failed(SimpleNamespace(task=task, host=host, result={**data, "msg": "dagster is not ready"}))
    lines, status = callback._found(callback._failures)
    assert lines[0].startswith("cluster ") and lines[3].startswith("service ") and "no such image" in lines[4]
    assert (status["ok"], status["clusters"][0]["reason"]) == (False, "Services: dagster is not ready")
    assert [(row["name"], row["version"]) for row in status["services"]] == [("dagster", "1.2.3")]
    callback.v2_runner_on_ok(SimpleNamespace(task=task, host=host, result={**data, "services": [flux("dagster")]}))
    assert callback._found({})[1]["ok"] is True


def test_entries_come_from_the_config_map() -> None:
    assert catalogue.entries({"data": {"services.json": '[{"name": "dagster"}]'}}) == [{"name": "dagster"}]
    assert catalogue.entries(None) == []


def test_the_password_is_a_command_never_a_value() -> None:
    from services import Service, password_command

    service = Service("north", "dagster", "data", secret="dagster-admin", key="admin.password")
    command = "./odp kubectl north -n data get secret dagster-admin -o 'jsonpath={.data.admin\\.password}' | base64 -d"
    assert password_command(service, "local") == command
    assert password_command(service, "my fleet") == f"ODP_INVENTORY='my fleet' {command}"


def test_what_cannot_be_had_is_no_service_to_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    import services

    entries = [{"name": "gateway", "waiting": "there is no image"}, {"name": "sail", "namespace": "sail"}]
    monkeypatch.setattr(services, "_entries", lambda _fleet, _cluster: entries)
    found, silent = services.read(None, ["north"])
    assert ([each.name for each in found], silent) == (["sail"], {})
