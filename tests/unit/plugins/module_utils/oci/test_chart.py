# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Charts: what is read of them, and what is no chart."""

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.oci import archive as oci_archive
from ansible_collections.opendata.platform.plugins.module_utils.oci import artifact

import charts

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A chart in a folder that has another name."""
    return charts.write(tmp_path)


def test_metadata_is_what_helm_writes(folder: Path) -> None:
    assert artifact.read_chart(folder)[0] == {
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
    assert artifact.read_chart(copy) == artifact.read_chart(folder)


def test_a_packed_chart_is_published_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "hello.tgz"
    (tmp_path / "Chart.yaml").write_text(charts.CHART)
    with tarfile.open(path, "w:gz") as archive:
        archive.add(tmp_path / "Chart.yaml", "hello/charts/other/Chart.yaml")
        archive.add(tmp_path / "Chart.yaml", "hello/Chart.yaml")
    metadata, packed = artifact.read_chart(path)
    assert (metadata["name"], packed) == ("hello", path.read_bytes())


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"hello/values.yaml": b""}, "holds no <name>/Chart.yaml. Pack it with helm package"),
        (
            {"other/Chart.yaml": charts.CHART.encode()},
            "its folder is 'other', its name 'hello'. Pack it with helm package",
        ),
        ({"hello/Chart.yaml": b"name: hello\n"}, "Chart.yaml does not set name and version"),
        ({"hello/Chart.yaml": b"- hello\n"}, "Chart.yaml does not set name and version"),
        ({"hello/Chart.yaml": b"{"}, "cannot be read: while parsing"),
    ],
)
def test_what_is_no_packed_chart(tmp_path: Path, files: dict[str, bytes], words: str) -> None:
    path = tmp_path / "chart.tgz"
    path.write_bytes(oci_archive.gzip(oci_archive.tar(files)))
    with pytest.raises(ValueError, match=words):
        artifact.read_chart(path)


def test_a_folder_without_chart_and_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot be read: .*No such file.*Chart\.yaml"):
        artifact.read_chart(tmp_path)
    (tmp_path / "x.tgz").write_text("x")
    with pytest.raises(ValueError, match="cannot be read: is not a gzipped tar"):
        artifact.read_chart(tmp_path / "x.tgz")


def test_a_chart_under_a_name_that_helm_would_not_ask_for(run: Run, folder: Path) -> None:
    failed = run("oci_artifact", reference="127.0.0.1:1/charts/other:1.10.0", chart=str(folder))
    assert failed["findings"] == [
        "reference '127.0.0.1:1/charts/other:1.10.0' does not end in /hello:1.10.0_build.1, "
        "the chart's name and version: helm would not find it"
    ]
