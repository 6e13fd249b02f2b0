# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Why kind clusters cannot be created: the text of each finding, and the requests to the engine."""

import socket
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kind.config import Found, Node
from ansible_collections.opendata.platform.plugins.module_utils.kind.preflight import GIB, Seen, Wanted, findings

IMAGE = "kindest/node:v1.36.4@sha256:0123"
PULLED = "kindest/node@sha256:0123"
PORTS = {"cluster_kind_http_port": 80, "cluster_kind_https_port": 443}
WANTED = Wanted("docker", "/fleet", 6, {"dev": IMAGE}, {"dev": PORTS})
WELL = Seen(memory=8 * GIB)


@pytest.mark.parametrize(
    ("engine", "seen", "expected"),
    [
        (
            "docker",
            Seen(installed=[]),
            "cluster_kind_engine: docker is not installed. Install Docker Desktop, Docker Engine or Podman.",
        ),
        (
            "docker",
            Seen(installed=["podman"]),
            "cluster_kind_engine: docker is not installed. Install it, or set cluster_kind_engine: podman in "
            "/fleet/group_vars/all.yml: podman is installed.",
        ),
        (
            "docker",
            Seen(refusal="Cannot connect."),
            "cluster_kind_engine: docker does not answer: Cannot connect. "
            "Start it (Docker Desktop, or: systemctl start docker) and try: docker info",
        ),
        (
            "podman",
            Seen(installed=["podman"], refusal="Cannot connect."),
            "cluster_kind_engine: podman does not answer: Cannot connect. "
            "Start it (podman machine start) and try: podman info",
        ),
        (
            "docker",
            replace(WELL, memory=4 * GIB),
            "cluster_kind_memory_gib: the clusters need 6 GiB of memory, docker has 4.0 GiB. "
            "Give it more (Docker Desktop: Settings, Resources; podman machine set --memory), "
            "or set a lower number in /fleet/group_vars/all.yml if your clusters need less.",
        ),
        (
            "docker",
            replace(WELL, busy={80: ""}),
            "dev: cluster_kind_http_port: another program uses port 80 of this host. "
            "Stop it, or set another port, or 0 for none, in /fleet/hosts.yml.",
        ),
        (
            "docker",
            replace(WELL, busy={443: "web"}),
            "dev: cluster_kind_https_port: container web uses port 443 of this host. "
            "Stop it, or set another port, or 0 for none, in /fleet/hosts.yml.",
        ),
        (
            "docker",
            replace(WELL, refused={IMAGE: "no such manifest."}),
            f"dev: cluster_kind_image: {IMAGE} is not available locally and cannot be pulled: no such manifest. "
            "Set cluster_kind_image to the image of a mirror, or copy it from another machine: "
            "docker save there, docker load here.",
        ),
        (
            "docker",
            replace(WELL, foreign={"dev": Found([Node("dev-control-plane", "control-plane", True, ("kind",))])}),
            "dev: docker already has a kind cluster of this name that does not belong to this fleet "
            "(dev-control-plane). "
            "Rename the cluster in the inventory, or delete the other one if nobody needs it: "
            "kind delete cluster --name dev",
        ),
    ],
)
def test_each_finding_has_its_words(engine: str, seen: Seen, expected: str) -> None:
    assert [str(each) for each in findings(replace(WANTED, engine=engine), seen)] == [expected]


def test_all_findings_come_at_once() -> None:
    seen = Seen(memory=GIB, busy={80: "", 443: "web"}, refused={IMAGE: "no."})
    assert [each.variable for each in findings(WANTED, seen)] == [
        "cluster_kind_memory_gib",
        "cluster_kind_http_port",
        "cluster_kind_https_port",
        "cluster_kind_image",
    ]


def test_ports_and_image_of_a_cluster_that_is_there_are_its_own() -> None:
    assert findings(WANTED, replace(WELL, made=["dev"], busy={80: ""}, refused={IMAGE: "no."})) == []


@pytest.fixture
def check(run: Callable[..., Any], stand_in: Any) -> Callable[..., Any]:
    """check(ports=…) -> the module's result for cluster dev, which needs no port unless asked."""

    def call(**ports: int) -> Any:
        clusters = {"dev": {"image": IMAGE, "ports": ports}}
        options = {"engine": stand_in.engine, "network": "odp-dev", "memory_gib": 6, "directory": "/fleet"}
        return run("kind_check", clusters=clusters, **options)

    return call


BOTH = pytest.mark.parametrize("stand_in", ["docker", "podman"], indirect=True)


@BOTH
def test_image_that_is_there_is_not_asked_for(check: Any, stand_in: Any) -> None:
    stand_in.set(images=[PULLED])
    assert not check()["changed"]
    assert [line for line in stand_in.commands() if "manifest" in line or "pull" in line] == []


@BOTH
def test_image_that_is_not_there_is_asked_for_and_not_pulled(check: Any, stand_in: Any) -> None:
    stand_in.set(registry=[PULLED])
    assert check()["findings"] == []
    asked = stand_in.commands()
    assert f"{stand_in.engine} manifest inspect {PULLED}" in asked
    assert [line for line in asked if " pull" in line] == []
    stand_in.set(registry=[])
    assert f"cannot be pulled: stand-in: no such manifest: {PULLED}" in check()["msg"]


@BOTH
def test_memory_is_the_engines(check: Any, stand_in: Any) -> None:
    stand_in.set(images=[PULLED], memory=5 * GIB)
    assert f"need 6 GiB of memory, {stand_in.engine} has 5.0 GiB." in check()["msg"]


def test_port_of_a_program_and_of_a_container_are_seen(check: Any, stand_in: Any, run: Any) -> None:
    stand_in.set(images=[PULLED])
    run("engine_container", name="web", image="web:1", publish=["127.0.0.1:65001:80"])
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = check(cluster_kind_http_port=port, cluster_kind_https_port=65001)["findings"]
    assert [line.partition(" of this host")[0] for line in found] == [
        f"dev: cluster_kind_http_port: another program uses port {port}",
        "dev: cluster_kind_https_port: container web uses port 65001",
    ]


def test_engine_that_is_not_installed(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert check()["msg"].startswith("cluster_kind_engine: docker is not installed.")


def test_real_client_without_an_engine(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The words of a real docker that reaches no engine."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    try:
        subprocess.run(["docker", "--version"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"there is no program docker: {error}")
    clusters = {"dev": {"image": IMAGE, "ports": PORTS}}
    found = run("kind_check", engine="docker", network="odp-dev", memory_gib=6, directory="/fleet", clusters=clusters)
    [line] = found["findings"]
    assert line.startswith("cluster_kind_engine: docker does not answer: ")
    assert f"{tmp_path}/none.sock" in line
    assert line.endswith("Start it (Docker Desktop, or: systemctl start docker) and try: docker info")
