# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What a machine, its supervision and the host's rules look like as files."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.nspawn import layout as rules
from ansible_collections.opendata.platform.plugins.module_utils.supervisor.client import program_text, supervisord_text
from ansible_collections.opendata.platform.plugins.modules import nspawn_machine

import render


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> nspawn_machine.Machine:
    """north-1 of the local fleet before its keys exist."""
    monkeypatch.setattr(nspawn_machine, "STATE", Path("/nowhere/var/lib/odp"))
    monkeypatch.setattr(nspawn_machine.uuid, "uuid4", lambda: SimpleNamespace(hex="0" * 32))
    role = yaml.safe_load((render.ROOT / "roles/machine_nspawn/vars/main.yml").read_text())
    node = render.fleet("local")["nodes"]["north-1"]
    params = {
        "fleet": "local",
        "name": node["name"],
        "address": node["address"],
        "network": "10.77.0.0/24",
        "bridge": "odp-local",
        "base": "/cache/rootfs",
        "images": "/cache/images/0",
        "keys": "/nowhere/ssh",
        "start": "",
        "files": [],
        "masked": role["__machine_nspawn_masked"],
    }
    return nspawn_machine.Machine(SimpleNamespace(params=params))


def test_files_in_the_root(machine: nspawn_machine.Machine) -> None:
    lines = [
        f"{f.path} {f.mode:o} -> {f.link}\n{f.content}" if f.link else f"{f.path} {f.mode:o}\n{f.content}"
        for f in machine.files
    ]
    render.assert_golden("machine_nspawn/root.txt", "".join(lines))


def test_program(machine: nspawn_machine.Machine) -> None:
    render.assert_golden("machine_nspawn/program.conf", program_text(machine.program, Path("/var/log/odp/local")))


def test_supervisord() -> None:
    text = supervisord_text(Path("/run/odp/local"), Path("/var/log/odp/local"))
    render.assert_golden("machine_nspawn/supervisord.conf", text)


def test_rules() -> None:
    objects = rules.nft_objects("local", "10.77.0.0/24", "odp-local")
    render.assert_golden("machine_nspawn/nft.json", json.dumps(objects, indent=1) + "\n")
