# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Charts: what is read of them, what helm says to what was published."""

import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.oci import archive as oci_archive
from ansible_collections.opendata.platform.plugins.module_utils.oci import artifact as oci_artifact
from ansible_collections.opendata.platform.plugins.module_utils.oci import chart

Run = Callable[..., dict[str, Any]]
CHART = """\
apiVersion: v2
name: hello
version: 1.10.0+build.1
appVersion: 1.10
deprecated: false
keywords:
maintainers: [{name: someone}]
dependencies: [{name: other, version: 1.0.0, enabled: true}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A chart in a folder that has another name."""
    path = tmp_path / "on disk"
    (path / "templates").mkdir(parents=True)
    (path / "charts/other").mkdir(parents=True)
    (path / "Chart.yaml").write_text(CHART)
    (path / "charts/other/Chart.yaml").write_text("apiVersion: v2\nname: other\nversion: 1.0.0\n")
    (path / "values.yaml").write_text("greeting: hello\n")
    (path / "templates/config.yaml").write_text("kind: ConfigMap\n")
    return path


def test_metadata_is_what_helm_writes(folder: Path) -> None:
    assert chart.read(folder)[0] == {
        "apiVersion": "v2",
        "name": "hello",
        "version": "1.10.0+build.1",
        "appVersion": "1.10",
        "maintainers": [{"name": "someone"}],
        "dependencies": [{"name": "other", "version": "1.0.0", "enabled": True}],
    }


def test_the_same_chart_elsewhere_is_the_same_artifact(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy", copy_function=shutil.copyfile)
    (copy / "values.yaml").chmod(0o600)
    assert chart.read(copy) == chart.read(folder)


def test_a_packed_chart_is_published_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "hello.tgz"
    (tmp_path / "Chart.yaml").write_text(CHART)
    with tarfile.open(path, "w:gz") as archive:
        archive.add(tmp_path / "Chart.yaml", "hello/charts/other/Chart.yaml")
        archive.add(tmp_path / "Chart.yaml", "hello/Chart.yaml")
    metadata, packed = chart.read(path)
    assert (metadata["name"], packed) == ("hello", path.read_bytes())


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"hello/values.yaml": b""}, "holds no <name>/Chart.yaml. Pack it with helm package"),
        ({"other/Chart.yaml": CHART.encode()}, "its folder is 'other', its name 'hello'. Pack it with helm package"),
        ({"hello/Chart.yaml": b"name: hello\n"}, "Chart.yaml does not say name and version"),
        ({"hello/Chart.yaml": b"- hello\n"}, "Chart.yaml does not say name and version"),
        ({"hello/Chart.yaml": b"{"}, "cannot be read: while parsing"),
    ],
)
def test_what_is_no_packed_chart(tmp_path: Path, files: dict[str, bytes], words: str) -> None:
    path = tmp_path / "chart.tgz"
    path.write_bytes(oci_archive.gzip(oci_archive.tar(files)))
    with pytest.raises(ValueError, match=words):
        chart.read(path)


def test_a_folder_without_chart_and_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot be read: .*No such file.*Chart\.yaml"):
        chart.read(tmp_path)
    (tmp_path / "x.tgz").write_text("x")
    with pytest.raises(ValueError, match="cannot be read: is no tar with gzip"):
        chart.read(tmp_path / "x.tgz")


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
    assert (pulled / "Chart.yaml").read_text() == CHART
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
    ours = oci_artifact.chart(*chart.read(packed))
    link = registry.storage / "docker/registry/v2/repositories/helm/hello/_manifests/tags/1.10.0_build.1/current/link"
    blobs = registry.storage / "docker/registry/v2/blobs/sha256"

    def blob(digest: str) -> dict[str, Any]:
        value = digest.removeprefix("sha256:")
        return json.loads((blobs / value[:2] / value / "data").read_text())

    theirs = blob(link.read_text())
    assert json.loads(ours.manifest.data)["layers"] == theirs["layers"]
    assert json.loads(ours.blobs[0].data) == blob(theirs["config"]["digest"])


def test_a_chart_under_a_name_that_helm_would_not_ask_for(run: Run, folder: Path) -> None:
    failed = run("oci_artifact", reference="127.0.0.1:1/charts/other:1.10.0", chart=str(folder))
    assert failed["findings"] == [
        "reference '127.0.0.1:1/charts/other:1.10.0' does not end in /hello:1.10.0_build.1, "
        "the chart's name and version: helm would not find it"
    ]


def test_a_chart_that_is_not_there(run: Run, registry: Any, said: list[str], tmp_path: Path) -> None:
    arguments = {"reference": f"{registry.address}/charts/hello:1.0.0", "insecure": True, "chart": str(tmp_path / "no")}
    failed = run("oci_artifact", **arguments)
    assert failed["msg"] == (
        f"This cannot be published: chart {tmp_path}/no does not exist: give the chart's folder or its .tgz file."
    )
    planned = run("oci_artifact", check=True, **arguments)
    assert (planned["changed"], planned["digest"]) == (True, "")
    assert planned["reference"] == arguments["reference"]
    assert said == [f"chart {tmp_path}/no does not exist yet. It is planned as new."]
