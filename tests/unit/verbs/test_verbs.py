# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The script odp and its verbs, as a person types them; nothing here makes a machine."""

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from repository import ROOT


def odp(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess:
    command = [str(ROOT / "odp"), *arguments]
    variables = {**os.environ, **environment}
    pipe = subprocess.PIPE
    return subprocess.run(
        command, cwd=cwd, env=variables, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, check=False
    )


def test_without_a_verb_every_verb_is_listed() -> None:
    listed = odp()
    assert listed.returncode == 0
    verbs = re.findall(r"^    (\w+)", listed.stdout, re.MULTILINE)
    fleet = [
        "up",
        "bootstrap",
        "sync",
        "rescue",
        "upgrade",
        "remove",
        "backup",
        "restore",
        "renew",
        "down",
        "snapshot",
        "status",
        "verify",
        "mesh",
        "ssh",
        "kubectl",
        "connect",
        "logs",
    ]
    assert verbs == [*fleet, "new", "test", "lint", "docs", "doctor"]


def test_every_verb_has_one_line_of_documentation() -> None:
    lines = odp().stdout.splitlines()[1:]
    assert [line for line in lines if "# " not in line] == []


@pytest.mark.parametrize("verb", ["up", "down", "status"])
def test_an_unknown_inventory_is_refused_with_the_list(verb: str) -> None:
    run = odp(verb, "locla")
    assert run.returncode == 1
    guess = "Did you mean local? Known: dev, existing, local, mesh, prd."
    assert run.stderr == f"odp: there is no inventory 'locla', by name or path. {guess}\n"


def test_unknown_names_are_refused_with_the_list() -> None:
    for arguments, words in (
        (("ssh", "north-2"), "has no host 'north-2' in group nodes"),
        (("kubectl", "nroth", "get", "nodes"), "has no host 'nroth' in group clusters"),
        (("test", "units"), "there is no suite units. Known: lint, unit, golden, integration, molecule, e2e-core,"),
        (("stats",), "Did you mean `status`?"),
        (("mesh", "stats"), "odp: there is no verb 'mesh stats'. Did you mean status? Known: status, test."),
        (("mesh",), "odp: there is no verb 'mesh'. Known: status, test."),
        (("mesh", "status", "locla"), "odp: there is no inventory 'locla', by name or path. Did you mean local?"),
        (("up", "--json"), "odp: only these verbs support --json: status, verify, mesh status, mesh test."),
    ):
        run = odp(*arguments)
        assert run.returncode == 1
        assert words in run.stderr


def test_kubectl_is_the_fleets_own_from_the_store(tmp_path: Path) -> None:
    fleet = tmp_path / "trial"
    shutil.copytree(ROOT / "tests/fixtures/valid/local", fleet)
    (fleet / ".state/kubeconfigs").mkdir(parents=True)
    (fleet / ".state/kubeconfigs/north").touch()
    (fleet / ".state/artifacts.lock.yml").write_text("binaries: {kubectl: {digest: 'sha256:abc', origin: build}}\n")
    store = tmp_path / ".cache/odp/artifacts"
    for name, digest in (("kubernetes-1", "old"), ("kubernetes-2", "abc")):
        (store / name).mkdir(parents=True)
        (store / f"{name}.json").write_text(json.dumps({"files": {"kubectl": {"sha256": digest}}}))
        program = store / name / "kubectl"
        program.write_text(f'#!/bin/sh\necho {name} "$@"\n')
        program.chmod(0o755)
    run = odp("kubectl", "north", "get", "nodes", cwd=tmp_path, ODP_INVENTORY="trial", HOME=str(tmp_path))
    options = f"--kubeconfig {fleet}/.state/kubeconfigs/north --cache-dir {fleet}/.state/cache"
    assert run.stdout == f"kubernetes-2 {options} get nodes\n", run.stderr


def test_kubectl_of_this_kind_of_machine_comes_before_the_nodes_own(tmp_path: Path) -> None:
    fleet = tmp_path / "trial"
    shutil.copytree(ROOT / "tests/fixtures/valid/dev", fleet)
    (fleet / ".state/kubeconfigs").mkdir(parents=True)
    (fleet / ".state/kubeconfigs/dev").touch()
    entries = {name: {"digest": f"sha256:{name}", "origin": "download"} for name in ("kubectl", "controller-kubectl")}
    (fleet / ".state/artifacts.lock.yml").write_text(json.dumps({"binaries": entries}))
    store = tmp_path / ".cache/odp/artifacts/controller_kubectl-1"
    store.mkdir(parents=True)
    store.with_suffix(".json").write_text(
        json.dumps({"files": {"controller-kubectl": {"sha256": "controller-kubectl"}}})
    )
    (store / "controller-kubectl").write_text("#!/bin/sh\necho mine\n")
    (store / "controller-kubectl").chmod(0o755)
    run = odp("kubectl", "dev", "get", "nodes", cwd=tmp_path, ODP_INVENTORY="trial", HOME=str(tmp_path))
    assert run.stdout == "mine\n", run.stderr


def test_status_json_is_one_object_on_stdout(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests/fixtures/valid/local", tmp_path / "trial")
    run = odp("status", "trial", "--json", cwd=tmp_path)
    assert run.returncode != 0
    status = json.loads(run.stdout)
    assert status["ok"] is False
    assert [row["name"] for row in status["clusters"]] == ["north", "south"]
    assert "not created yet" in status["clusters"][0]["reason"]


@pytest.mark.parametrize(
    ("verb", "empty"),
    [
        ("status", {"clusters": [], "services": []}),
        ("verify", {"checks": []}),
        ("mesh status", {"clusters": {}}),
        ("mesh test", {"checks": []}),
    ],
)
def test_json_is_an_object_when_there_is_no_run(verb: str, empty: dict) -> None:
    run = odp(*verb.split(), "--json", "--limit", "nobody")
    assert run.returncode != 0
    assert json.loads(run.stdout) == {"ok": False, **empty}
    assert "nobody" in run.stderr


def test_mesh_status_json_has_a_row_for_each_pair(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests/fixtures/valid/local", tmp_path / "trial")
    run = odp("mesh", "status", "trial", "--json", cwd=tmp_path)
    assert run.returncode != 0
    status = json.loads(run.stdout)
    assert status["ok"] is False
    assert {name: [*row["peers"]] for name, row in status["clusters"].items()} == {
        "north": ["south"],
        "south": ["north"],
    }
    assert "kubeconfigs/north cannot be used" in status["clusters"]["north"]["peers"]["south"]["reason"]


def test_mesh_test_json_names_who_could_not_be_tested(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests/fixtures/valid/local", tmp_path / "trial")
    run = odp("mesh", "test", "trial", "--json", cwd=tmp_path)
    assert run.returncode != 0
    test = json.loads(run.stdout)
    assert test["ok"] is False
    assert [(check["cluster"], check["name"], check["ok"]) for check in test["checks"]] == [
        ("north", "run", False),
        ("south", "run", False),
    ]
    assert "kubeconfigs/south cannot be used" in test["checks"][1]["found"]


def test_ctrl_c_prints_no_traceback() -> None:
    code = "import inventory; raise KeyboardInterrupt"
    run = subprocess.run(["python", "-c", code], cwd=ROOT / "verbs", capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (-signal.SIGINT, "")


def test_doctor_lists_every_check() -> None:
    run = odp("doctor")
    assert re.search(r"^(ok  |FAIL)  memory: [0-9.]+ GiB free, 6 needed$", run.stdout, re.MULTILINE), (
        run.stdout + run.stderr
    )
    assert run.returncode == ("FAIL" in run.stdout)


def test_doctor_checks_the_engine_of_kind_clusters(tmp_path: Path) -> None:
    run = odp("doctor", "dev", DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    assert run.stdout.splitlines()[0].startswith("FAIL  cluster_kind_engine: docker ")
    assert "1 of 1 checks failed." in run.stdout
    assert run.returncode == 1


def test_doctor_names_the_host_whose_variables_cannot_be_read(tmp_path: Path) -> None:
    fleet = tmp_path / "trial"
    shutil.copytree(ROOT / "tests/fixtures/valid/dev", fleet)
    (fleet / "host_vars").mkdir()
    for text, words in (
        ("cluster_provider: '{{ nope }}'", "'nope' is undefined"),
        ("[a, b]", f"Could not process '{fleet}/host_vars/dev.yml'"),
    ):
        (fleet / "host_vars/dev.yml").write_text(text)
        run = odp("doctor", "trial", cwd=tmp_path)
        assert (run.returncode, run.stdout) == (1, "")
        assert run.stderr.startswith(f"odp: dev: cluster_provider cannot be read: {words}")


def test_doctor_checks_one_inventory() -> None:
    run = odp("doctor", "dev", "prd")
    assert (run.returncode, run.stderr) == (1, "odp: doctor checks one inventory: ./odp doctor [inventory]\n")


def test_a_new_service_is_written_where_the_user_is(tmp_path: Path) -> None:
    (tmp_path / "galaxy.yml").write_text("namespace: acme\nname: services\nauthors: Me Myself\n")
    run = odp("new", "service", "notes", "--into", ".", cwd=tmp_path)
    assert "cluster_services: [acme.services.notes]" in run.stdout, run.stderr
    assert "  author: Me Myself\n" in (tmp_path / "roles/notes/meta/main.yml").read_text()


@pytest.mark.parametrize("galaxy", ["name: x", "namespace: [a", "- a", "namespace: acme\nname: [x]", ""])
def test_a_new_service_is_not_written_into_what_is_no_collection(tmp_path: Path, galaxy: str) -> None:
    (tmp_path / "galaxy.yml").write_text(galaxy)
    run = odp("new", "service", "notes", "--into", str(tmp_path))
    words = "is not YAML with the namespace and the name of a collection. Correct it first."
    assert (run.returncode, run.stderr) == (1, f"odp: {tmp_path}/galaxy.yml {words}\n")
    assert not (tmp_path / "roles").exists()


def test_a_new_service_needs_a_directory_and_a_name_that_ansible_does_not_use(tmp_path: Path) -> None:
    run = odp("new", "service", "notes", "--into", "", cwd=tmp_path)
    assert (run.returncode, run.stderr.split(":")[1]) == (1, " new service needs one name")
    run = odp("new", "service", "inventory", "--into", ".", cwd=tmp_path)
    assert (run.returncode, list(tmp_path.iterdir())) == (1, [])
    assert "Variables of Ansible begin with inventory_; choose another one." in run.stderr


def test_without_a_python_the_ways_to_get_one_are_told(tmp_path: Path) -> None:
    shutil.copy(ROOT / "odp", tmp_path)
    (tmp_path / "requirements.txt").write_text("")
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sh", "dirname", "cmp", "cat"):
        (tools / tool).symlink_to(shutil.which(tool))
    environment = {"PATH": str(tools), "HOME": str(tmp_path)}
    run = subprocess.run([tmp_path / "odp"], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    for way in ("Python 3.12 or newer", "apt-get install", "dnf install", "pyenv install", "uv python install"):
        assert way in run.stderr
    assert not (tmp_path / ".venv").exists()


def test_the_newest_python_makes_the_environment_again_when_requirements_change(tmp_path: Path) -> None:
    shutil.copy(ROOT / "odp", tmp_path)
    (tmp_path / "requirements.txt").write_text("# nothing\n")
    versions = tmp_path / ".pyenv/versions"
    for version in ("3.11.9", "3.12.1", "3.13.0"):
        python = versions / version / "bin/python3"
        python.parent.mkdir(parents=True)
        # A stand-in that answers the question for its version, and makes an environment whose tools do nothing.
        python.write_text(
            f"#!/bin/sh\ncase $1 in\n-c) case $2 in *'3, {version.split('.')[1]})'*) exit 0;; esac; exit 1;;\n"
            f"--version) echo Python {version};;\n"
            '-m) mkdir -p "$3/bin"; for t in python just; do printf "#!/bin/sh\\n" > "$3/bin/$t"; '
            'chmod +x "$3/bin/$t"; done;;\nesac\n'
        )
        python.chmod(0o755)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}

    def said() -> str:
        run = subprocess.run([tmp_path / "odp"], env=environment, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        return run.stderr

    assert "creating .venv with Python 3.13.0" in said()
    assert said() == ""
    (tmp_path / "requirements.txt").write_text("# changed\n")
    assert "creating .venv with Python 3.13.0" in said()
