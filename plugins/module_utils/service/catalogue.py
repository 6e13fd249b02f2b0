# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The list of services that a cluster keeps in a ConfigMap, for the verbs status, connect and logs. Pure."""

from __future__ import annotations

import json
from typing import Any

from ..kubernetes.manifests import Manifest
from . import common_manifests
from .schema import Release

NAMESPACE, NAME, KEY = "flux-system", "platform-services", "services.json"
PATH = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{NAME}"
# The Secret of the administrator, by convention of its name in `secrets`.
ADMIN, USERNAME, PASSWORD = "admin", "username", "password"


def config_map(services: list[Release], context: dict[str, Any]) -> Manifest:
    """The list as a ConfigMap, which Flux applies with the services."""
    entries = [entry(release, context) for release in services]
    entries += [{"name": name, "waiting": why} for name, why in sorted(context["waiting"].items())]
    metadata = {"name": NAME, "namespace": NAMESPACE}
    data = {KEY: json.dumps(entries, indent=2)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def entries(config_map: Manifest | None) -> list[dict[str, Any]]:
    """The services in the ConfigMap of a cluster; none without it."""
    found: list[dict[str, Any]] = json.loads(config_map["data"][KEY]) if config_map else []
    return found


def entry(release: Release, context: dict[str, Any]) -> dict[str, Any]:
    """Where one service is, who may log in and which Secret has the password; never the password."""
    route = release["route"] or {}
    admin = release["secrets"].get(ADMIN, {})
    person = isinstance(admin.get(USERNAME), str) and PASSWORD in admin
    served = route and context["gateway"]
    scheme = "https" if context["issuer"] else "http"
    return {
        "name": release["name"],
        "namespace": release["namespace"],
        "service": route.get("service", ""),
        "port": route.get("port", 0),
        "host": route.get("host", ""),
        "user": admin[USERNAME] if person else "",
        "secret": f"{release['name']}-{ADMIN}" if person else "",
        "key": PASSWORD if person else "",
        "version": version(release, context["images"]),
        "url": f"{scheme}://{common_manifests.host(release, context)}" if served else "",
    }


def version(release: Release, images: dict[str, str]) -> str:
    """Version of the chart, or tag of the image with the service's name; empty where there is none."""
    if release["chart"]:
        return str(release["chart"]["version"])
    return images.get(release["name"], "").rpartition("/")[2].partition("@")[0].partition(":")[2]
