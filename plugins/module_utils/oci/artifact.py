# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The two kinds of OCI artifacts that Flux reads, a tree of manifests and a Helm chart, and their references.

Media types as in github.com/fluxcd/pkg/oci and helm.sh/helm/v4/pkg/registry, without their time of creation.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from . import archive as oci_archive

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
    archive = oci_archive.tar({path: text.encode() for path, text in files.items()})
    rootfs = {"type": "layers", "diff_ids": [Blob("", archive).digest]}
    config = {"architecture": "", "os": "", "rootfs": rootfs, "config": {}}
    return _artifact(Blob(FLUX_CONFIG, _json(config)), Blob(FLUX_LAYER, oci_archive.gzip(archive)))


def chart(metadata: dict[str, Any], packed: bytes) -> Artifact:
    """Return the artifact that helm takes for a chart."""
    return _artifact(Blob(CHART_CONFIG, _json(metadata)), Blob(CHART_LAYER, packed))
