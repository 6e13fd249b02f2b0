# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Modules run in Ansible's worker on the controller, with the result that a process of their own would give."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from repository import ROOT


def run(tmp_path: Path, arguments: dict[str, Any], *options: str) -> dict[str, Any]:
    """Result of module ssh_keys."""
    return play(tmp_path, {"opendata.platform.ssh_keys": arguments}, *options)


def play(tmp_path: Path, task: dict[str, Any], *options: str) -> dict[str, Any]:
    """Result of one task, with an interpreter that cannot be started."""
    unstartable = {"ansible_python_interpreter": "/nonexistent"}
    book = {"hosts": "localhost", "gather_facts": False, "vars": unstartable, "tasks": [task]}
    playbook = tmp_path / "play.yml"
    playbook.write_text(yaml.safe_dump([book]))
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
    }
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        str(playbook),
        "-i",
        "localhost,",
        "-c",
        "local",
        *options,
    ]
    done = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=60, check=False)
    return json.loads(done.stdout[done.stdout.index("{") : done.stdout.rindex("}") + 1])["plays"][0]["tasks"][0][
        "hosts"
    ]["localhost"]


def test_check_mode_a_change_and_no_change(tmp_path: Path) -> None:
    keys = {"directory": str(tmp_path / "ssh"), "machines": {"one": "10.77.0.11"}}
    planned = run(tmp_path, keys, "--check")
    assert planned["changed"] and "known_hosts" in planned["made"]
    assert not (tmp_path / "ssh").exists()
    made = run(tmp_path, keys)
    assert made["changed"] and made["made"] == planned["made"]
    assert (tmp_path / "ssh/id_ed25519").exists()
    assert run(tmp_path, keys)["changed"] is False


def test_a_failure_keeps_its_message(tmp_path: Path) -> None:
    failed = run(tmp_path, {"directory": str(tmp_path / "ssh")})
    assert failed["failed"] and failed["msg"] == "missing required arguments: machines"


def test_the_action_group_gives_kubeconfig_and_context_to_every_module_that_takes_them(tmp_path: Path) -> None:
    group = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]["cluster"]
    modules = [path for path in (ROOT / "plugins/modules").glob("*.py") if "= ClusterModule(" in path.read_text()]
    assert group == sorted(path.stem for path in modules)
    fragment = re.compile(r"^extends_documentation_fragment: \[.*\bopendata\.platform\.cluster[],]", re.MULTILINE)
    assert [path.stem for path in modules if not fragment.search(path.read_text())] == []
    defaults = {"group/opendata.platform.cluster": {"kubeconfig": str(tmp_path / "none"), "context": "north"}}
    task = {"opendata.platform.cluster_info": {"name": "north"}, "module_defaults": defaults}
    found = play(tmp_path, task)
    assert found["cluster"]["reason"] == f"not created yet (no kubeconfig at {tmp_path}/none)"


def test_every_module_that_is_routed_here_exists_and_has_no_action_plugin_of_its_own() -> None:
    routing = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["plugin_routing"]["modules"]
    assert {entry["action_plugin"] for entry in routing.values()} == {"opendata.platform.direct"}
    assert [name for name in routing if not (ROOT / f"plugins/modules/{name}.py").exists()] == []
    assert [name for name in routing if (ROOT / f"plugins/action/{name}.py").exists()] == []
    # ansible-galaxy packs a symbolic link as one, and some systems unpack none.
    assert [str(path) for path in (ROOT / "plugins").rglob("*") if path.is_symlink()] == []
