# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The rows, the table and the JSON at the end of a run."""

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.callback.report import CallbackModule
from ansible_collections.opendata.platform.plugins.module_utils.fleet.build import describe
from ansible_collections.opendata.platform.plugins.module_utils.report import clusters as report

import inventories

FLEET = describe(inventories.load("valid", "local"))[0]
WELL = {"kubernetes": "v1.36.3", "cilium": "1.20.2", "nodes": 1, "nodes_ready": 1, "reason": ""}
KEYS = ["name", "provider", "api", "kubernetes", "cilium", "nodes", "nodes_ready", "reason"]


def reasons(seen: dict[str, Any], failures: dict[str, str], common: str = "") -> list[str]:
    return [row["reason"] for row in report.rows(["north", "south"], FLEET, seen, failures, common)]


def test_all_well() -> None:
    found = report.rows(["south", "north"], FLEET, {"north": WELL, "south": WELL}, {}, "")
    assert [row["name"] for row in found] == ["north", "south"]
    assert list(found[0]) == KEYS
    assert found[0]["api"] == "10.77.0.11:6443"
    assert report.status(found, failed=False) == {"ok": True, "clusters": found}


def test_a_failure_elsewhere_is_not_ok() -> None:
    found = report.rows(["north"], FLEET, {"north": WELL}, {}, "")
    assert report.status(found, failed=True)["ok"] is False
    assert report.status([], failed=False)["ok"] is False


def test_the_machines_failure_is_the_clusters_reason() -> None:
    assert reasons({"south": WELL}, {"north-1": "no answer", "north": "no server is left"}) == [
        "north-1: no answer",
        "",
    ]


def test_the_clusters_own_failure_is_its_reason() -> None:
    assert reasons({"south": WELL}, {"north": "helm: timed out"}) == ["helm: timed out", ""]


def test_a_cluster_that_was_well_before_its_failure_is_not_shown_as_well() -> None:
    assert reasons({"north": WELL, "south": WELL}, {"north": "no peer answers"}) == ["no peer answers", ""]


def test_what_cluster_info_says_wins_over_the_failure_it_causes() -> None:
    unhealthy = {**WELL, "reason": "the API does not answer"}
    assert reasons({"north": unhealthy, "south": WELL}, {"north": "not well: ..."}) == ["the API does not answer", ""]


def test_a_failure_for_all_is_everybodys_reason() -> None:
    assert reasons({}, {"north": "1 fault"}, "The inventory has 1 fault") == ["1 fault", "The inventory has 1 fault"]


def test_a_cluster_that_was_not_looked_at_is_not_well() -> None:
    assert reasons({"north": WELL}, {}) == ["", "the run ended before its state was read"]


def test_nodes_of_the_inventory_that_are_missing_are_counted() -> None:
    fleet = describe(inventories.load("valid", "three"))[0]
    row = report.rows(["north"], fleet, {"north": {**WELL, "nodes": 3, "nodes_ready": 3}}, {}, "")[0]
    assert (row["nodes"], row["reason"]) == (4, "3 of 4 nodes are ready")


def test_without_a_record_there_is_still_a_row() -> None:
    row = report.rows(["north"], {}, {}, {"north": "1 fault"}, "1 fault")[0]
    assert list(row) == KEYS
    assert (row["nodes"], row["reason"]) == (0, "1 fault")


def test_table_has_a_line_for_each_cluster_in_columns() -> None:
    lines = report.table(report.rows(["north", "south"], FLEET, {"north": WELL}, {"south-1": "two\n lines"}, ""))
    assert lines == [
        "cluster  nodes  kubernetes  cilium  api              reason",
        "north    1/1    v1.36.3     1.20.2  10.77.0.11:6443  ok",
        "south    0/1    -           -       10.77.0.12:6443  south-1: two lines",
    ]


def test_clock_and_timings() -> None:
    assert report.clock(3671.9) == "61:11"
    assert report.timings({"machines": 1.24, "clusters": 2.0}) == "seconds: machines 1.2, clusters 2.0, all 3.2"


CHECK = {"name": "raw rows", "ok": True, "expected": 1000, "found": 1000, "seconds": 0.14}


@pytest.mark.parametrize(("stage", "module"), [("verify", "pod_checks"), ("mesh_test", "cilium_clustermesh_probe")])
def test_a_test_ends_with_the_checks_of_its_module_also_where_one_failed(stage: str, module: str) -> None:
    callback = CallbackModule()
    callback._clusters, callback._seconds = {"north", "south", "west"}, {stage: 1.0}

    def result(host: str, **data: Any) -> SimpleNamespace:
        task = SimpleNamespace(
            action=f"opendata.platform.{module}", run_once=False, ignore_unreachable=False, get_name=lambda: "r : Asked"
        )
        return SimpleNamespace(task=task, host=SimpleNamespace(get_name=lambda: host), result=data)

    callback.v2_runner_on_ok(result("north", checks=[CHECK, {**CHECK, "name": "cells"}]))
    assert callback._found({})[1]["ok"] is True
    callback.v2_runner_on_failed(result("south", checks=[{**CHECK, "ok": False, "found": 3}], msg="wrong"))
    callback.v2_runner_on_failed(result("west", checks=[], msg="no pod"))
    lines, status = callback._found(callback._failures)
    assert lines == [
        "cluster  check     ok   seconds  expected  found",
        "north    raw rows  yes  0.1      1000      1000",
        "north    cells     yes  0.1      1000      1000",
        "south    raw rows  no   0.1      1000      3",
        "west     run       no   0.0      checks    Asked: no pod",
    ]
    assert status["ok"] is False
    assert [(each["cluster"], each["ok"]) for each in status["checks"]] == [
        ("north", True),
        ("north", True),
        ("south", False),
        ("west", False),
    ]
