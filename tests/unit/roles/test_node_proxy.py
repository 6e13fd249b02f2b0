# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Role node by ansible-playbook, in check mode on a planned machine: when the files of the proxy are due."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from repository import ROOT

PROXY = "http://user:hidden@proxy.example.org:3128"
FILE = "/etc/opendata/proxy.env"


@pytest.mark.parametrize(
    ("proxy", "existing", "runs", "changed"),
    [("", [], False, 0), (PROXY, [], True, 1), (PROXY, [FILE], True, 1), ("", [FILE], True, 0)],
)
def test_proxy(tmp_path: Path, proxy: str, existing: list[str], runs: bool, changed: int) -> None:
    variables = {
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "fleet": {"nodes": {"metal-1": {"cluster": "dev"}}, "clusters": {"dev": {"no_proxy": "10.0.0.0/8"}}},
        "node_facts": {"existing": existing},
        # Nothing exists on a planned machine, so there is nothing to remove.
        "node_planned": True,
        "platform_http_proxy": proxy,
    }
    task = {"ansible.builtin.include_role": {"name": "opendata.platform.node", "tasks_from": "proxy"}}
    play = {"hosts": "all", "gather_facts": False, "connection": "local", "vars": variables, "tasks": [task]}
    path = tmp_path / "play.yml"
    path.write_text(yaml.safe_dump([play]))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "metal-1,", str(path), "--check", "--diff"]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"skipped={0 if runs else 1}" in done.stdout
    assert f"changed={changed}" in done.stdout
    assert "hidden" not in done.stdout + done.stderr
