# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What goes from Ansible to the templates of services and to the tree. Pure."""

from __future__ import annotations

from typing import Any

from ..cilium import values as cilium_values
from ..flux import install as flux_install
from .schema import Release, merged


def view(release: Release, context: dict[str, Any]) -> dict[str, Any]:
    """What a template sees of its service: `values` and `service`; faults are told later, all at once."""
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
    """The images of the fact artifacts by the last part of their repository, each with its digest where known."""
    named: dict[str, str] = {}
    for image, entry in found.items():
        name = image.rsplit("/", 1)[-1].split(":")[0]
        if name in named:
            raise ValueError(f"two images are called {name}: {named[name]} and {image}")
        named[name] = f"{image}@{entry['digest']}" if entry["digest"] else image
    return named


def waiting(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    """What cannot be had with these images, with the reason."""
    lacking = {} if cilium_values.has_envoy(found) else {"gateway": "there is no image of Envoy where images are built"}
    return {**flux_install.waiting(found), **lacking}


def plain(value: Any) -> Any:
    """The value in types that YAML knows: Ansible's texts and mappings carry where they come from."""
    if isinstance(value, dict):
        return {plain(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    kinds = [kind for kind in (str, bool, int, float) if isinstance(value, kind)]
    return kinds[0](value) if kinds else value
