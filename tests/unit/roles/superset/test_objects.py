# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What role superset renders."""

from pathlib import Path
from typing import Any

import pytest

from repository import ROOT
from superset_objects import objects

TEMPLATES = ROOT / "roles/superset/templates"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return objects(tmp_path_factory.mktemp("local"))


def pod(made: dict[str, dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = made["Deployment superset"]["spec"]["template"]["spec"]
    return spec


def environment(container: dict[str, Any]) -> dict[str, Any]:
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}


@pytest.mark.parametrize("name", ["superset_config.py", "setup.py", "assets.yaml"])
def test_files_reach_the_pod_as_they_are(local: dict[str, dict[str, Any]], name: str) -> None:
    assert local["ConfigMap superset"]["data"][name] == (TEMPLATES / name).read_text()


def test_no_secret_is_a_plain_value(local: dict[str, dict[str, Any]]) -> None:
    [setup], [web] = pod(local)["initContainers"], pod(local)["containers"]
    for container in (setup, web):
        assert environment(container)["SUPERSET_SECRET_KEY"] == {
            "secretKeyRef": {"name": "superset-key", "key": "secret_key"}
        }
        assert environment(container)["SUPERSET_DATABASE_URI"] == {
            "secretKeyRef": {"name": "superset-database", "key": "uri"}
        }
        # Without the prefix every query could read the key: DuckDB takes AWS_* for its own settings.
        assert container["envFrom"] == [{"prefix": "LAKE_", "secretRef": {"name": "superset-bucket"}}]
    assert environment(setup)["SUPERSET_ADMIN_PASSWORD"] == {
        "secretKeyRef": {"name": "superset-admin", "key": "password"}
    }
    assert "SUPERSET_ADMIN_PASSWORD" not in environment(web)


def test_cookies_are_for_https_only_where_there_is_https(local: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    served = objects(tmp_path, gateway=True, issuer="letsencrypt")
    found = [environment(pod(made)["containers"][0])["SUPERSET_HTTPS"] for made in (local, served)]
    assert found == ["false", "true"]
    assert "HTTPRoute superset" in served


def test_a_page_is_asked_whether_it_is_ready(local: dict[str, dict[str, Any]]) -> None:
    [web] = pod(local)["containers"]
    paths = {kind: web[kind]["httpGet"]["path"] for kind in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert paths == {"startupProbe": "/login/", "readinessProbe": "/login/", "livenessProbe": "/health"}


def test_memory_is_the_inventorys(tmp_path: Path) -> None:
    made = objects(tmp_path, values={"memory": "2Gi", "query_memory": "1GB"})
    [web] = pod(made)["containers"]
    assert (web["resources"]["limits"], environment(web)["DUCKDB_MEMORY"]) == ({"memory": "2Gi"}, "1GB")
