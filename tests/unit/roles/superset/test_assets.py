# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The dashboard's parts fit one another and the table that the pipelines make: Superset takes wrong ones silently."""

import re
from collections import Counter
from typing import Any

import yaml

from repository import ROOT

ASSETS: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "roles/superset/templates/assets.yaml").read_text())
PIPELINE = ROOT / "pipelines/src/trips"


def of(folder: str) -> list[dict[str, Any]]:
    return [content for name, content in ASSETS.items() if name.startswith(f"{folder}/")]


[DATABASE], [DATASET], [DASHBOARD], CHARTS = of("databases"), of("datasets"), of("dashboards"), of("charts")
COLUMNS = {column["column_name"] for column in DATASET["columns"]}
METRICS = {metric["metric_name"] for metric in DATASET["metrics"]}
PLACES = {name: place for name, place in DASHBOARD["position"].items() if isinstance(place, dict)}


def test_each_uuid_is_of_one_object() -> None:
    uuids = Counter(content["uuid"] for name, content in ASSETS.items() if name != "metadata.yaml")
    assert len(uuids) == 7
    assert set(uuids.values()) == {1}
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", uuid) for uuid in uuids)


def test_references_lead_somewhere() -> None:
    assert DATASET["database_uuid"] == DATABASE["uuid"]
    assert {chart["dataset_uuid"] for chart in CHARTS} == {DATASET["uuid"]}
    shown = {place["meta"]["uuid"]: place["meta"]["sliceName"] for place in PLACES.values() if place["type"] == "CHART"}
    assert shown == {chart["uuid"]: chart["slice_name"] for chart in CHARTS}


def test_every_place_is_a_child_of_its_parent() -> None:
    for name, place in PLACES.items():
        assert place["id"] == name
        for child in place["children"]:
            assert PLACES[child]["parents"] == [*place.get("parents", []), name], child
    assert {child for place in PLACES.values() for child in place["children"]} == set(PLACES) - {"ROOT_ID"}


def test_charts_ask_for_what_the_dataset_has() -> None:
    for chart in CHARTS:
        params = chart["params"]
        assert params["viz_type"] == chart["viz_type"]
        assert {*params.get("metrics", []), *filter(None, [params.get("metric")])} <= METRICS, chart["slice_name"]
        assert {*params.get("groupby", []), *filter(None, [params.get("x_axis")])} <= COLUMNS, chart["slice_name"]
    for metric in DATASET["metrics"]:
        assert set(re.findall(r"SUM\((\w+)\)", metric["expression"])) <= COLUMNS


def test_the_lakes_key_is_not_kept_in_superset() -> None:
    assert DATABASE["sqlalchemy_uri"] == "duckdb:///:memory:"
    assert DATABASE["extra"].keys() == {"allows_virtual_table_explore"}


def test_the_dataset_reads_the_table_that_the_pipelines_publish() -> None:
    tables = (PIPELINE / "tables.py").read_text()
    [schema] = re.findall(r"_DAILY = pa\.schema\((.+?)\)\n", tables, re.DOTALL)
    assert set(re.findall(r'\("(\w+)"', schema)) == COLUMNS
    [place] = re.findall(r'self\.daily = Table\(store, f"(.+)"\)', tables)
    [name] = re.findall(r'name: str = Field\(default="(\w+)"', (PIPELINE / "assets.py").read_text())
    folder = f"s3://{place.format(name=name)}"
    [pointer] = re.findall(r'f"\{path\}/(\w+\.json)"', (PIPELINE / "store.py").read_text())
    assert re.findall(r"'(s3://\w.+?)'", DATASET["sql"]) == [f"{folder}/*/*.parquet", f"{folder}/{pointer}"]
