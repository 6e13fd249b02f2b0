# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A Helm chart for tests."""

from pathlib import Path

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


def write(directory: Path) -> Path:
    """Write the chart into a folder that has another name, and return the folder."""
    path = directory / "on disk"
    (path / "templates").mkdir(parents=True)
    (path / "charts/other").mkdir(parents=True)
    (path / "Chart.yaml").write_text(CHART)
    (path / "charts/other/Chart.yaml").write_text("apiVersion: v2\nname: other\nversion: 1.0.0\n")
    (path / "values.yaml").write_text("greeting: hello\n")
    (path / "templates/config.yaml").write_text("kind: ConfigMap\n")
    return path
