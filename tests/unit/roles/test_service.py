# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Role service as roles of services call it, by ansible-playbook; and the verb that writes such a role."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.service import manifest_checks
from ansible_collections.opendata.platform.plugins.module_utils.service.schema import RELEASE

from repository import ROOT

BIN = Path(sys.executable).parent
IMAGES = {"ghcr.io/opendata/testserver:0.1.0": {"origin": "build", "digest": f"sha256:{'a' * 64}"}}
PLATFORM = {"source": "oci", "domain": "localhost", "gateway": False, "issuer": "", "monitoring": False}
VARIABLES = {
    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    "fleet": {
        "mesh": ["north"],
        "platform": {**PLATFORM, "object_store": "garage", "database": "postgres"},
        "clusters": {"north": {"cilium": True, "services": ["one_thing", "two"], "tree_path": "."}},
    },
    "artifacts": {"images": IMAGES},
}
TASKS = """\
- name: Describe one
  ansible.builtin.include_role:
    name: opendata.platform.service
  vars:
    service_release:
      name: one-thing
      manifests: one_thing.yml.j2
      values: {message: "{{ one_thing_message }}", nested: {kept: 1, changed: 1}}
      overrides: "{{ one_thing_values }}"
"""
TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ service.name }}
data:
  message: {{ values.message }}
  nested: {{ values.nested | to_json | to_json }}
  own: {{ __one_thing_internal }}
  image: {{ service.images.testserver }}
  kept: "{% raw %}{{ of_the_service_itself }}{% endraw %}"
"""


def play(place: Path, *roles: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    """One run of the roles and of the tree, on a cluster north; the tree is written to tree.json."""
    tasks: list[dict[str, Any]] = [{"ansible.builtin.include_role": {"name": role}} for role in roles]
    tasks.append({"ansible.builtin.include_role": {"name": "opendata.platform.service", "tasks_from": "tree"}})
    content = {"content": "{{ platform_tree | to_json }}", "dest": f"{place}/tree.json", "mode": "0600"}
    tasks.append({"ansible.builtin.copy": content})
    book = {"hosts": "all", "gather_facts": False, "connection": "local", "tasks": tasks}
    fleet = {**VARIABLES["fleet"], "state": str(place)}
    (place / "play.yml").write_text(yaml.safe_dump([{**book, "vars": {**VARIABLES, "fleet": fleet, **variables}}]))
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_ROLES_PATH": f"{place}/roles"}
    command = [str(BIN / "ansible-playbook"), "-i", "north,", str(place / "play.yml")]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)


def write(place: Path, role: str, **files: str) -> None:
    for path, text in files.items():
        target = place / "roles" / role / path.replace("__", "/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.with_suffix(".yml" if "templates" not in path else ".yml.j2").write_text(text)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with two roles of services."""
    defaults = "one_thing_message: hello\none_thing_values: {nested: {changed: 2}}\n"
    own = "__one_thing_internal: mine\n"
    files = {"tasks__main": TASKS, "templates__one_thing": TEMPLATE, "defaults__main": defaults, "vars__main": own}
    write(tmp_path, "one_thing", **files)
    description = {"name": "two", "manifests": "two.yml.j2", "requires": "{{ two_requires | default([]) }}"}
    task = {"ansible.builtin.include_role": {"name": "opendata.platform.service"}}
    tasks = yaml.safe_dump([{**task, "vars": {"service_release": description}}])
    write(tmp_path, "two", tasks__main=tasks, templates__two="{apiVersion: v1, kind: ConfigMap, metadata: {name: two}}")
    return tmp_path


def test_a_template_of_the_calling_role_becomes_part_of_the_tree(place: Path) -> None:
    done = play(place, "one_thing", "two")
    assert done.returncode == 0, done.stdout + done.stderr
    tree = json.loads((place / "tree.json").read_text())
    assert [*tree["files"]] == [
        f"{path}{end}"
        for path, end in (
            ("platform/one-thing", ".yaml"),
            ("platform/platform-services", ".yaml"),
            ("platform/two", ".yaml"),
            ("services/one-thing", "/manifests.yaml"),
            ("services/two", "/manifests.yaml"),
        )
    ]
    *_, config = yaml.safe_load_all(tree["files"]["services/one-thing/manifests.yaml"])
    assert config["metadata"] == {"name": "one-thing", "namespace": "one-thing"}
    assert config["data"] == {
        "message": "hello",
        "nested": '{"kept": 1, "changed": 2}',
        "own": "mine",
        "image": f"ghcr.io/opendata/testserver:0.1.0@sha256:{'a' * 64}",
        "kept": "{{ of_the_service_itself }}",
    }
    assert [each["metadata"]["name"] for each in tree["namespaces"]] == ["one-thing", "two"]


@pytest.mark.parametrize(
    ("database", "kind", "keys"),
    [("postgres", "StatefulSet", ["password"]), ("cloudnative_pg", "Cluster", ["username", "password"])],
)
def test_postgres_is_what_the_platform_says(place: Path, database: str, kind: str, keys: list[str]) -> None:
    roles = [f"opendata.platform.{role}" for role in sorted({database, "postgres"})]
    platform = {**VARIABLES["fleet"]["platform"], "database": database}
    images = {"ghcr.io/opendata/postgres:17": next(iter(IMAGES.values()))}
    fleet = {**VARIABLES["fleet"], "platform": platform, "state": str(place)}
    done = play(place, *roles, fleet=fleet, artifacts={"images": images}, postgres_values={"storage": "7Gi"})
    assert done.returncode == 0, done.stdout + done.stderr
    tree = json.loads((place / "tree.json").read_text())
    text = tree["files"]["services/postgres/manifests.yaml"]
    assert "7Gi" in text
    assert {each["kind"] for each in yaml.safe_load_all(text)} & {"StatefulSet", "Cluster"} == {kind}
    assert [[*secret["data"]] for secret in tree["secrets"]] == [keys]


def test_all_findings_of_all_roles_are_told_at_once(place: Path) -> None:
    done = play(place, "one_thing", "two", one_thing_values={"mesage": "x"}, two_requires=["one-thin"])
    assert done.returncode != 0
    [start] = [number for number, line in enumerate(done.stdout.splitlines()) if line.strip() == "msg: |-"]
    assert [line.strip() for line in done.stdout.splitlines()[start + 1 : start + 3]] == [
        "one-thing: one_thing_values: 'mesage' is not a value of this service (role one_thing). "
        "Did you mean message? Known: message, nested.",
        "two: service_release.requires: 'one-thin' is not enabled (role two). "
        "Add it to cluster_services of north. Did you mean one-thing? Known: one-thing, two.",
    ]


def test_the_roles_page_names_every_key() -> None:
    specs = yaml.safe_load((ROOT / "roles/service/meta/argument_specs.yml").read_text())["argument_specs"]
    _, *lines = specs["main"]["options"]["service_release"]["description"]
    assert [line.split(")")[0] for line in lines] == [f"C({name}" for name in RELEASE]


def new(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "verbs/new.py"), *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what the verb and the linter need; the verb writes into the tree that it lies in."""
    for name in ("verbs", "roles/service", "plugins", "meta"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("ansible.cfg", "galaxy.yml", ".ansible-lint", ".yamllint", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "inventories/local").mkdir(parents=True)
    link = tmp_path / ".collections/ansible_collections/opendata/platform"
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path)
    return tmp_path


def test_a_new_service_passes_linter_and_scans_at_once(copy: Path) -> None:
    made = new(copy, "service", "hello-world")
    assert made.returncode == 0, made.stderr
    assert "Wrote roles/hello_world" in made.stdout and "| `hello_world_values` |" in made.stdout
    environment = {**os.environ, "ANSIBLE_CONFIG": str(copy / "ansible.cfg"), "PATH": f"{BIN}:{os.environ['PATH']}"}
    for linter in (
        ["ansible-lint", "--offline", "--strict", "roles/hello_world"],
        ["yamllint", "--strict", "roles/hello_world"],
    ):
        done = subprocess.run(linter, cwd=copy, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    defaults, specs = (
        yaml.safe_load((copy / f"roles/hello_world/{path}.yml").read_text())
        for path in ("defaults/main", "meta/argument_specs")
    )
    options = specs["argument_specs"]["main"]["options"]
    assert {name: option["default"] for name, option in options.items()} == defaults
    done = play(copy, "hello_world")
    assert done.returncode == 0, done.stdout + done.stderr
    assert manifest_checks.tree(json.loads((copy / "tree.json").read_text())["files"]) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "odp: there is no verb 'new'. Known: service."),
        (["servic", "x"], "odp: there is no verb 'new servic'. Did you mean service? Known: service."),
        (["service"], "odp: new service needs one name: ./odp new service NAME [--into DIRECTORY]"),
        (["service", "a", "b"], "odp: new service needs one name: ./odp new service NAME [--into DIRECTORY]"),
        (
            ["service", "Hello_World"],
            "odp: 'Hello_World' is not a valid name. Use at most 53 characters a-z, 0-9 and '-', not '-' at an end.",
        ),
        (
            ["service", "a" * 54],
            f"odp: '{'a' * 54}' is not a valid name. Use at most 53 characters a-z, 0-9 and '-', not '-' at an end.",
        ),
        (
            ["service", "7zip"],
            "odp: '7zip' is not a valid name. It is part of variables, so it must begin with a letter.",
        ),
        (
            ["service", "x", "--int", "y"],
            "odp: new service needs one name: ./odp new service NAME [--into DIRECTORY]",
        ),
        (
            ["service", "x", "--into", "/nowhere"],
            "odp: there is no directory /nowhere. Name a collection, the directory with its galaxy.yml.",
        ),
        (["service", "cilium"], "odp: there is already a role cilium (roles/cilium). Choose another name."),
        (
            ["service", "gateway-api"],
            "odp: there is already a role gateway_api (roles/gateway_api). Choose another name.",
        ),
    ],
)
def test_a_name_that_cannot_be_is_refused(arguments: list[str], words: str) -> None:
    refused = new(ROOT, *arguments)
    assert (refused.returncode, refused.stderr) == (1, f"{words}\n")
