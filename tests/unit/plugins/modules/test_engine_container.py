# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module engine_container against a stand-in of the engine."""

import hashlib
import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BOTH = pytest.mark.parametrize("stand_in", ["docker", "podman"], indirect=True)


@pytest.fixture
def registry(run: Callable[..., Any], stand_in: Any) -> Callable[..., Any]:
    """registry(publish=…) -> the module's result for a container of a registry."""

    def call(**given: Any) -> Any:
        options = {
            "name": "odp-dev-registry",
            "engine": stand_in.engine,
            "image": "ghcr.io/x/registry:1@sha256:01",
            "network": "odp-dev",
            "volumes": {"odp-dev-registry": "/var/lib/registry"},
            "environment": {"PASSWORD": "hidden"},
        }
        return run("engine_container", **(options | given))

    return call


@BOTH
def test_first_run_makes_it_with_its_network_and_a_second_one_nothing(registry: Any, stand_in: Any) -> None:
    assert registry(check=True)["changed"]
    assert stand_in.containers() == {}
    assert registry()["changed"]
    assert stand_in.state["networks"] == ["odp-dev"]
    command = next(line for line in stand_in.commands() if " run " in line)
    assert command.endswith("ghcr.io/x/registry@sha256:01")
    assert not registry()["changed"]
    assert [line.split()[1] for line in stand_in.commands()] == ["ps", "inspect"]


def test_values_of_the_environment_are_not_shown(registry: Any) -> None:
    result = registry()
    assert "PASSWORD" in result["diff"]["after"]
    assert "hidden" not in str(result["diff"])


def test_stopped_one_is_started_and_a_changed_one_made_anew(registry: Any, stand_in: Any) -> None:
    registry()
    stand_in.stop()
    stand_in.commands()
    assert registry()["changed"]
    assert "start" in [line.split()[1] for line in stand_in.commands()]
    assert registry(publish=["127.0.0.1:5001:5000"])["changed"]
    verbs = [line.split()[1] for line in stand_in.commands()]
    assert verbs.index("rm") < verbs.index("run")
    assert stand_in.state["volumes"] == ["odp-dev-registry"]


@BOTH
def test_absent_leaves_what_others_use(registry: Any, stand_in: Any) -> None:
    registry()
    registry(name="odp-dev-registry-push")
    assert registry(state="absent")["changed"]
    assert (stand_in.state["volumes"], stand_in.state["networks"]) == (["odp-dev-registry"], ["odp-dev"])
    assert list(stand_in.containers()) == ["odp-dev-registry-push"]
    assert registry(name="odp-dev-registry-push", state="absent")["changed"]
    assert (stand_in.state["volumes"], stand_in.state["networks"]) == ([], [])
    assert not registry(state="absent")["changed"]


def test_refusal_is_in_the_engines_words(registry: Any, stand_in: Any) -> None:
    stand_in.set(answers=False)
    assert registry()["msg"] == (
        "odp-dev-registry: docker says: Cannot connect to the Docker daemon at unix:///stand-in.sock. "
        "Is the docker daemon running?"
    )


def test_community_docker_ignores_the_context_of_the_cli() -> None:
    """Why engine_container exists: once this fails, community.docker can replace it for Docker."""
    # Not in tmp_path, which is too long for the address of a socket.
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as engine:
        engine.bind(f"{directory}/engine.sock")
        engine.listen()
        engine.setblocking(False)
        context = Path(directory) / "contexts/meta" / hashlib.sha256(b"desktop").hexdigest()
        context.mkdir(parents=True)
        endpoint = {"Host": f"unix://{directory}/engine.sock", "SkipTLSVerify": False}
        (context / "meta.json").write_text(json.dumps({"Name": "desktop", "Endpoints": {"docker": endpoint}}))
        (Path(directory) / "config.json").write_text(json.dumps({"currentContext": "desktop"}))
        options = json.dumps({"name": "odp-none", "state": "absent"})
        command = ["ansible", "localhost", "-c", "local", "--check", "-m", "community.docker.docker_container"]
        environment = {key: value for key, value in os.environ.items() if key != "DOCKER_HOST"}
        run = subprocess.run(
            [*command, "-a", options],
            env={**environment, "DOCKER_CONFIG": directory, "DOCKER_CONTEXT": "desktop", "ANSIBLE_TIMEOUT": "10"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "odp-none" in run.stdout or "Error connecting" in run.stdout, run.stdout + run.stderr
        with pytest.raises(BlockingIOError):
            engine.accept()
