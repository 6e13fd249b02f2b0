# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The fleet's helm pulls and pushes the same artifacts as module oci_artifact publishes."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.oci import artifact as oci_artifact

import charts

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A chart in a folder that has another name."""
    return charts.write(tmp_path)


def test_helm_pulls_what_was_published(run: Run, registry: Any, helm: Path, folder: Path, tmp_path: Path) -> None:
    arguments = {"reference": f"{registry.address}/charts/hello:1.10.0+build.1", "insecure": True}
    published = run("oci_artifact", **arguments, chart=str(folder))
    assert published["changed"] and published["reference"].startswith(
        f"{registry.address}/charts/hello:1.10.0_build.1@"
    )
    command = [helm, "pull", f"oci://{registry.address}/charts/hello", "--version", "1.10.0+build.1", "--plain-http"]
    environment = {"HOME": str(tmp_path)}
    done = subprocess.run(
        [*command, "--untar", "--untardir", tmp_path / "pulled"],
        cwd=tmp_path,
        env=environment,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"Digest: {published['digest']}" in done.stdout + done.stderr
    pulled = tmp_path / "pulled/hello"
    files = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    assert {path.relative_to(pulled) for path in pulled.rglob("*") if path.is_file()} == files
    assert (pulled / "Chart.yaml").read_text() == charts.CHART
    assert not run("oci_artifact", **arguments, chart=str(folder))["changed"]


def test_the_config_is_the_one_that_helm_pushes(
    run: Run, registry: Any, helm: Path, folder: Path, tmp_path: Path
) -> None:
    environment = {"HOME": str(tmp_path)}
    for command in (
        [helm, "package", folder, "--destination", tmp_path],
        [helm, "push", tmp_path / "hello-1.10.0+build.1.tgz", f"oci://{registry.address}/helm", "--plain-http"],
    ):
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
    packed = tmp_path / "hello-1.10.0+build.1.tgz"
    ours = oci_artifact.chart(*oci_artifact.read_chart(packed))
    link = registry.storage / "docker/registry/v2/repositories/helm/hello/_manifests/tags/1.10.0_build.1/current/link"
    blobs = registry.storage / "docker/registry/v2/blobs/sha256"

    def blob(digest: str) -> dict[str, Any]:
        value = digest.removeprefix("sha256:")
        return json.loads((blobs / value[:2] / value / "data").read_text())

    theirs = blob(link.read_text())
    assert json.loads(ours.manifest.data)["layers"] == theirs["layers"]
    assert json.loads(ours.blobs[0].data) == blob(theirs["config"]["digest"])


def test_a_chart_that_is_not_there(run: Run, registry: Any, warned: list[str], tmp_path: Path) -> None:
    arguments = {"reference": f"{registry.address}/charts/hello:1.0.0", "insecure": True, "chart": str(tmp_path / "no")}
    failed = run("oci_artifact", **arguments)
    assert failed["msg"] == (
        f"Nothing was published: chart {tmp_path}/no does not exist: give the chart's folder or its .tgz file."
    )
    planned = run("oci_artifact", check=True, **arguments)
    assert (planned["changed"], planned["digest"]) == (True, "")
    assert planned["reference"] == arguments["reference"]
    assert warned == [f"chart {tmp_path}/no does not exist yet. It is planned as new."]
