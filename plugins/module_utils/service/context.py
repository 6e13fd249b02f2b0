# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What templates of services see of their cluster. Pure."""

from __future__ import annotations

from typing import Any

from ..cilium import values as cilium_values
from ..flux import install as flux_install
from .schema import Release, merged


def view(release: Release, context: dict[str, Any]) -> dict[str, Any]:
    """What a template sees of its service: `values` and `service`. Faults are reported later, all at once."""
    values, over = (each if isinstance(each, dict) else {} for each in map(release.get, ("values", "overrides")))
    name, route = str(release.get("name")), release.get("route")
    kinds = ["database", "bucket", *(release.get("secrets") or {})]
    host = (route.get("host") if isinstance(route, dict) else "") or name
    service = {
        "name": name,
        "namespace": release.get("namespace") or name,
        "host": f"{host}.{context['domain']}",
        "secrets": {kind: f"{name}-{kind}" for kind in kinds},
        "images": context["images"],
        "context": context,
    }
    return {"values": merged(values, over), "service": service}


def images(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The images of the fact artifacts by the last part of their repository, each with its digest if that is known."""
    named: dict[str, str] = {}
    for image, entry in found.items():
        name = image.rsplit("/", 1)[-1].split(":")[0]
        if name in named:
            raise ValueError(f"two images are called {name}: {named[name]} and {image}")
        named[name] = f"{image}@{entry['digest']}" if entry["digest"] else image
    return named


def waiting(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    """What is unavailable with these images, with the reason."""
    lacking = {} if cilium_values.has_envoy(found) else {"gateway": "image of Envoy not available"}
    return {**flux_install.waiting(found), **lacking}
