# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What role superset makes, by ansible-playbook: its template includes files, which only the real lookup finds."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from api_server import ApiServer
from repository import ROOT

TEMPLATES = ROOT / "roles/superset/templates"
PLATFORM = {"source": "oci", "domain": "localhost", "gateway": False, "issuer": ""}
PLATFORM |= {"monitoring": False, "database": "postgres"}
IMAGES = {
    f"ghcr.io/opendata/{name}:1.0.0": {"origin": "build", "digest": f"sha256:{'a' * 64}"}
    for name in ("superset", "postgres", "garage")
}


def objects(place: Path, values: dict[str, Any] | None = None, **platform: Any) -> dict[str, dict[str, Any]]:
    """The manifests of the service by kind and name, on a platform that differs by these."""
    roles = [{"name": "opendata.platform.superset"}, {"name": "opendata.platform.service", "tasks_from": "tree"}]
    tasks: list[dict[str, Any]] = [{"ansible.builtin.include_role": role} for role in roles]
    written = {"content": "{{ platform_tree | to_json }}", "dest": f"{place}/tree.json", "mode": "0600"}
    tasks.append({"ansible.builtin.copy": written})
    # The tree wants all that is required to be switched on.
    others = [
        {"role": name, "release": {"name": name, "manifests": f"{name}.yml.j2"}, "rendered": json.dumps(_config(name))}
        for name in ("postgres", "garage")
    ]
    variables = {
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "fleet": {
            "state": str(place),
            "mesh": [],
            "platform": {**PLATFORM, "object_store": "garage", **platform},
            "clusters": {"north": {"cilium": True, "services": ["garage", "postgres", "superset"]}},
        },
        "artifacts": {"images": IMAGES},
        "platform_releases": others,
        "superset_values": values or {},
    }
    book = {"hosts": "all", "gather_facts": False, "connection": "local", "vars": variables, "tasks": tasks}
    (place / "play.yml").write_text(yaml.safe_dump([book]))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "north,", str(place / "play.yml")]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    text = json.loads((place / "tree.json").read_text())["files"]["services/superset/manifests.yaml"]
    return {f"{each['kind']} {each['metadata']['name']}": each for each in yaml.safe_load_all(text)}


def _config(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


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


def test_a_real_api_server_takes_them(
    local: dict[str, dict[str, Any]], server: ApiServer, run: Callable[..., dict[str, Any]]
) -> None:
    own = [each for each in local.values() if each["kind"] in ("Namespace", "ConfigMap", "Service", "Deployment")]
    result = run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=own)
    assert not result.get("failed"), result["msg"]
    again = run("k8s_apply", kubeconfig=str(server.kubeconfig), manifests=own)
    assert again["counts"]["unchanged"] == len(own) == 4
