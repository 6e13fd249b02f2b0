# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What role superset renders, by ansible-playbook: its template includes files, which only the real lookup finds."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from repository import ROOT

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
            "clusters": {
                "north": {"cilium": True, "services": ["garage", "postgres", "superset"], "tree_path": "."},
            },
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
