# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""kind itself reads the golden configs of its clusters."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from artifact_store import STORE
from repository import TESTS

GOLDEN = sorted((TESTS / "golden/files/cluster_kind").glob("*.yaml"))


def kind() -> str:
    """kind from PATH or the artifact store, which has it where a fleet is made of kind clusters."""
    found = [shutil.which("kind"), *map(str, sorted(STORE.glob("kind-*/kind")))]
    if not (program := next(filter(None, found), None)):
        pytest.skip(f"no kind in PATH or {STORE}: only fleets of provider kind need it, ./odp up dev provides it")
    return program


@pytest.mark.parametrize(
    "path", sorted((TESTS / "golden/files/cluster_kind").glob("*.yaml")), ids=lambda path: path.stem
)
@pytest.mark.parametrize(("key", "words"), [("", "docker info"), ("disableCNI", "field disableCNI not found")])
def test_kind_itself_knows_every_key(path: Path, key: str, words: str, tmp_path: Path) -> None:
    """A good config is refused only because there is no engine; one with an unknown key before that."""
    wanted = yaml.safe_load(path.read_text())
    if key:
        wanted["networking"][key] = True
    # kind asks for the engine's client before it reads a config.
    (tmp_path / "docker").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "docker").chmod(0o755)
    command = ["create", "cluster", "--name", "x", "--config", "-", "--kubeconfig", str(tmp_path / "kubeconfig")]
    done = subprocess.run(
        [kind(), *command],
        input=yaml.safe_dump(wanted),
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "KIND_EXPERIMENTAL_PROVIDER": "docker"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert words in done.stderr
