# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The two kinds of OCI artifacts that Flux reads, a tree of manifests and a Helm chart, and their references.

Media types as in github.com/fluxcd/pkg/oci and helm.sh/helm/v4/pkg/registry, without their time of creation.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from . import archive

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
FLUX_CONFIG = "application/vnd.cncf.flux.config.v1+json"
FLUX_LAYER = "application/vnd.cncf.flux.content.v1.tar+gzip"
CHART_CONFIG = "application/vnd.cncf.helm.config.v1+json"
CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

# By the distribution specification; a registry answers 404 to any other name, without a reason.
_HOST = r"(?P<registry>(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?)"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(rf"{_HOST}/(?P<repository>{_PART}(?:/{_PART})*):(?P<tag>[A-Za-z0-9_][A-Za-z0-9._+-]{{0,127}})")


class Reference(NamedTuple):
    """Where an artifact is: host and port of the registry, repository in it, tag."""

    registry: str
    repository: str
    tag: str

    def __str__(self) -> str:
        """Return the reference as text."""
        return f"{self.registry}/{self.repository}:{self.tag}"


def reference(text: str) -> Reference:
    """Return the parts; a tag with ``+`` gets ``_`` as Helm does it. Raise ValueError for anything else."""
    found = _REFERENCE.fullmatch(text)
    if not found:
        raise ValueError(
            f"reference '{text}' is not host:port/repository:tag: write it without oci:// and digest, with a tag, "
            "and the repository in lower case"
        )
    return Reference(found["registry"], found["repository"], found["tag"].replace("+", "_"))


class Blob(NamedTuple):
    """Bytes in a registry, and what they are."""

    media_type: str
    data: bytes

    @property
    def digest(self) -> str:
        """Return the name of the bytes."""
        return f"sha256:{hashlib.sha256(self.data).hexdigest()}"

    def descriptor(self) -> dict[str, Any]:
        """Return how a manifest refers to them."""
        return {"mediaType": self.media_type, "size": len(self.data), "digest": self.digest}


class Artifact(NamedTuple):
    """A manifest, and the blobs that must be in the registry before it."""

    manifest: Blob
    blobs: tuple[Blob, ...]


def _artifact(config: Blob, layer: Blob) -> Artifact:
    content = {"config": config.descriptor(), "layers": [layer.descriptor()]}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, **content}
    return Artifact(Blob(MANIFEST, _json(manifest)), (config, layer))


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def flux(files: Mapping[str, str]) -> Artifact:
    """Return the artifact that an OCIRepository of Flux takes for a tree of manifests."""
    layer = archive.tar({path: text.encode() for path, text in files.items()})
    rootfs = {"type": "layers", "diff_ids": [Blob("", layer).digest]}
    config = {"architecture": "", "os": "", "rootfs": rootfs, "config": {}}
    return _artifact(Blob(FLUX_CONFIG, _json(config)), Blob(FLUX_LAYER, archive.gzip(layer)))


def chart(metadata: dict[str, Any], packed: bytes) -> Artifact:
    """Return the artifact that helm takes for a chart."""
    return _artifact(Blob(CHART_CONFIG, _json(metadata)), Blob(CHART_LAYER, packed))


def read_chart(path: Path) -> tuple[dict[str, Any], bytes]:
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


def chart_findings(metadata: dict[str, Any], reference: Reference) -> list[str]:
    """Return a finding if helm would not find the chart under the reference: it asks for .../name:version."""
    wanted = f"{metadata['name']}:{metadata['version'].replace('+', '_')}"
    if f"/{reference.repository}:{reference.tag}".endswith(f"/{wanted}"):
        return []
    return [f"reference '{reference}' does not end in /{wanted}, the chart's name and version: helm would not find it"]
