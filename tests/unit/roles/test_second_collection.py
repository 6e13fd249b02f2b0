# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Services of another collection and beside the playbook: written by the verb, installed, delivered in check mode."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from repository import ROOT

BIN = Path(sys.executable).parent
GALAXY = {"namespace": "acme", "name": "services", "version": "1.0.0", "readme": "README.md", "authors": ["Acme"]}
IMAGES = {"ghcr.io/opendata/testserver:0.1.0": {"origin": "build", "digest": f"sha256:{'a' * 64}"}}
# What earlier stages would have left.
FACTS = {
    "artifacts": {"images": IMAGES, "files": {"cilium_chart": {"version": "1.20.2", "path": "/nowhere"}}},
    "mirror": {"registry": "http://127.0.0.1:1", "push": "127.0.0.1:1"},
}
COPY = {"content": "{{ platform_tree | to_json }}", "dest": "tree.json", "mode": "0600"}
ON_CLUSTERS: dict[str, Any] = {"hosts": "clusters", "gather_facts": False, "connection": "local"}
SITE = [
    {**ON_CLUSTERS, "tasks": [{"ansible.builtin.include_role": {"name": "opendata.platform.fleet"}}]},
    {"ansible.builtin.import_playbook": "opendata.platform.platform"},
    {**ON_CLUSTERS, "tasks": [{"ansible.builtin.copy": COPY, "check_mode": False}]},
]


# Two collections are built and installed.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's directory: a playbook with a role beside it, an inventory, and both collections installed."""
    place, source = tmp_path_factory.mktemp("fleet"), tmp_path_factory.mktemp("acme")
    (source / "galaxy.yml").write_text(yaml.safe_dump(GALAXY))
    (source / "README.md").write_text("Services of Acme\n")
    new("hello-world", source)
    new("beside", place)
    for collection in (ROOT, source):
        run(place, "ansible-galaxy", "collection", "build", str(collection), "--output-path", str(place))
    archives = [str(path) for path in place.glob("*.tar.gz")]
    run(place, "ansible-galaxy", "collection", "install", "--offline", "--no-deps", "-p", "collections", *archives)
    (place / "site.yml").write_text(yaml.safe_dump(SITE))
    (place / "facts.json").write_text(json.dumps(FACTS))
    return place


def new(name: str, place: Path) -> None:
    command = [sys.executable, str(ROOT / "verbs/new.py"), "service", name, "--into", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def run(place: Path, *command: str, wanted: int = 0) -> str:
    """Output of an Ansible program that knows only the collections below `place`."""
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(place / "collections")}
    environment.pop("ANSIBLE_CONFIG", None)
    program = [str(BIN / command[0]), *command[1:]]
    done = subprocess.run(program, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == wanted, done.stdout + done.stderr
    return done.stdout


def deliver(place: Path, services: list[str], wanted: int = 0, **variables: Any) -> str:
    """Deliver these services in check mode: there is no cluster."""
    cluster = {"cluster_provider": "kind", "cluster_services": services, **variables}
    inventory = {"all": {"vars": {"platform_source": "oci"}}, "clusters": {"hosts": {"north": cluster}}}
    (place / "inventory").mkdir(exist_ok=True)
    (place / "inventory/hosts.yml").write_text(yaml.safe_dump(inventory))
    return run(place, "ansible-playbook", "-i", "inventory", "site.yml", "--check", "-e", "@facts.json", wanted=wanted)


def test_both_services_are_in_the_tree(fleet: Path) -> None:
    deliver(fleet, ["acme.services.hello_world", "beside"], hello_world_values={"replicas": 3})
    tree = json.loads((fleet / "tree.json").read_text())
    assert {"platform/hello-world.yaml", "platform/beside.yaml"} <= {*tree["files"]}
    text = tree["files"]["services/hello-world/manifests.yaml"]
    [deployment] = [each for each in yaml.safe_load_all(text) if each["kind"] == "Deployment"]
    assert deployment["metadata"] == {"name": "hello-world", "namespace": "hello-world"}
    assert deployment["spec"]["replicas"] == 3


def test_an_option_that_another_collection_requires_is_still_validated(fleet: Path) -> None:
    specs = fleet / "collections/ansible_collections/acme/services/roles/hello_world/meta/argument_specs.yml"
    before = specs.read_text()
    found = yaml.safe_load(before)
    found["argument_specs"]["main"]["options"]["hello_world_token"] = {"type": "str", "required": True}
    specs.write_text(yaml.safe_dump(found))
    output = deliver(fleet, ["acme.services.hello_world"], wanted=2)
    specs.write_text(before)
    assert "missing required arguments: hello_world_token" in output


def test_preflight_refuses_what_is_wrong_with_a_name_or_a_variable(fleet: Path) -> None:
    role = fleet / "roles/undeclared/tasks/main.yml"
    role.parent.mkdir(parents=True, exist_ok=True)
    role.write_text("[]\n")
    names = ["acme.services.hello_wrld", "undeclared", "acme.services.hello_world"]
    output = deliver(fleet, names, wanted=2, hello_world_valus={})
    assert "north: cluster_services: there is no service role 'acme.services.hello_wrld'" in output
    assert "Did you mean acme.services.hello_world? Known: acme.services.hello_world, beside, " in output
    assert "role 'undeclared' does not declare itself a service" in output
    assert "north: hello_world_valus: is not a variable of this collection" in output
    assert "TASK [Publish and apply the platform" not in output
