# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A Helm chart on disk, as a folder or packed."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from . import archive
from .artifact import Reference

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml


def read(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return the content of Chart.yaml, and the packed chart. Raise ValueError if it is not a chart."""
    if not path.exists():
        raise ValueError(f"chart {path} does not exist: give the chart's folder or its .tgz file")
    try:
        return _folder(path) if path.is_dir() else _packed(path.read_bytes())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ValueError(f"chart {path} cannot be read: {error}") from error


def _folder(path: Path) -> tuple[dict[str, Any], bytes]:
    metadata = _metadata((path / "Chart.yaml").read_bytes())
    # Helm requires a folder with the chart's name inside the archive, whatever the folder on disk is called.
    files = {
        f"{metadata['name']}/{file.relative_to(path).as_posix()}": file.read_bytes()
        for file in path.rglob("*")
        if file.is_file()
    }
    return metadata, archive.gzip(archive.tar(files))


def _packed(data: bytes) -> tuple[dict[str, Any], bytes]:
    files = archive.unpack(data)
    found = [name for name in files if name.count("/") == 1 and name.endswith("/Chart.yaml")]
    if not found:
        raise ValueError("it holds no <name>/Chart.yaml. Pack it with helm package")
    folder, metadata = found[0].partition("/")[0], _metadata(files[found[0]])
    if folder != metadata["name"]:
        raise ValueError(f"its folder is '{folder}', its name '{metadata['name']}'. Pack it with helm package")
    return metadata, data


def _metadata(text: bytes) -> dict[str, Any]:
    """Return Chart.yaml as helm writes it: versions stay texts (1.10 is no number), empty values are left out."""
    found = yaml.load(text, Loader=yaml.BaseLoader)
    if not isinstance(found, dict) or not all(isinstance(found.get(key), str) for key in ("name", "version")):
        raise ValueError("Chart.yaml does not set name and version")
    if "deprecated" in found:
        found["deprecated"] = found["deprecated"] == "true"
    for dependency in found.get("dependencies") or []:
        if "enabled" in dependency:
            dependency["enabled"] = dependency["enabled"] == "true"
    return {key: value for key, value in found.items() if value}


def findings(metadata: dict[str, Any], reference: Reference) -> list[str]:
    """Return a finding if helm would not find the chart under the reference: it asks for .../name:version."""
    wanted = f"{metadata['name']}:{metadata['version'].replace('+', '_')}"
    if f"/{reference.repository}:{reference.tag}".endswith(f"/{wanted}"):
        return []
    return [f"reference '{reference}' does not end in /{wanted}, the chart's name and version: helm would not find it"]
