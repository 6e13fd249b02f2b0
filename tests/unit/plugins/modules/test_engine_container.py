# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module engine_container against a stand-in of the engine."""

from collections.abc import Callable
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
