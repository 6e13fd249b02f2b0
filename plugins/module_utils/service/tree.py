# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What templates of services see of their cluster, and the tree that Flux applies. Pure."""

from __future__ import annotations

import contextlib
import re
from typing import Any, TypedDict

from ..cilium import values as cilium_values
from ..findings import Finding
from ..flux import install as flux_install
from ..kubernetes.manifests import Manifest
from ..plain_data import plain
from . import catalogue, common_manifests, manifest_checks, provision, rules
from . import secrets as service_secrets
from .schema import Release, filled, merged

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml

    class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        """Writes multi-line strings as blocks, and never an alias."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def _text(dumper: Any, value: str) -> Any:
        style = "|" if "\n" in value else "'" if _AMBIGUOUS.fullmatch(value) else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    _Dumper.add_representer(str, _text)

# Strings that readers of other YAML versions take for numbers or booleans; PyYAML would not quote them.
_AMBIGUOUS = re.compile(r"[-+]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)([eE][-+]?\d+)?|0o[0-7_]+|[yYnN]")


Context = dict[str, Any]
Described = tuple[Release, list[Manifest]]


class Tree(TypedDict):
    """What Flux applies, and what the run applies beside it: all empty when there are findings."""

    files: dict[str, str]
    secrets: list[service_secrets.Recipe]
    namespaces: list[Manifest]
    findings: list[Finding]


def render(releases: list[dict[str, Any]], context: Context) -> Tree:
    """Check the services of one cluster and render its tree.

    releases: the fact platform_releases: of each service {role, release, rendered}.
    context: __service_context of role service.
    """
    context = plain(context)
    entries = sorted(plain(releases), key=lambda entry: (str(entry["release"].get("name")), entry["role"]))
    found: list[Finding] = []
    sound: list[tuple[Release, dict[str, Any]]] = []
    for entry in entries:
        faults = rules.findings(entry)
        found += faults
        sound += [] if faults else [(filled(entry["release"], context), entry)]
    enabled = {str(entry["release"].get("name")) for entry in entries}
    found += rules.together([(release, entry["role"]) for release, entry in sound], enabled, context)
    services = []
    for release, entry in sound:
        own, faults = _own(release, entry)
        services.append((release, own))
        found += faults
    if found:
        return {"files": {}, "secrets": [], "namespaces": [], "findings": sorted(set(found))}
    return _tree(services, context)


def _own(release: Release, entry: dict[str, Any]) -> tuple[list[Manifest], list[Finding]]:
    """The service's own objects, each in its namespace, and their findings."""
    if release["chart"]:
        return common_manifests.chart(release), []
    name, namespace = release["name"], release["namespace"]
    where = f"{release['manifests']} of role {entry['role']}"
    objects, found = manifest_checks.rendered(name, entry["rendered"], where)
    if found:
        return [], found
    found = manifest_checks.objects(name, namespace, release["pod_security"], objects, where)
    if release["route"]:
        found += [rules.of_key(each, name, entry["role"]) for each in manifest_checks.route(release, objects)]
    return [_placed(manifest, namespace) for manifest in objects], found


def _placed(manifest: Manifest, namespace: str) -> Manifest:
    """The object in its namespace; a volume claim outlives its service."""
    metadata = dict(manifest["metadata"])
    if manifest["kind"] not in manifest_checks.CLUSTER_KINDS:
        metadata = {"name": metadata["name"], "namespace": namespace, **metadata}
    if manifest["kind"] == "PersistentVolumeClaim":
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **common_manifests.KEPT}
    return {**manifest, "metadata": metadata}


def _of_store(manifest: Manifest, store: str) -> Manifest:
    """The object, its pods annotated with the object store: another store has other keys, so they must restart."""
    if manifest["kind"] not in ("Deployment", "StatefulSet", "DaemonSet"):
        return manifest
    template = manifest["spec"]["template"]
    metadata = template.get("metadata") or {}
    annotations = {**(metadata.get("annotations") or {}), "opendata.platform/object-store": store}
    annotated = {**template, "metadata": {**metadata, "annotations": annotations}}
    return {**manifest, "spec": {**manifest["spec"], "template": annotated}}


def _tree(services: list[Described], context: Context) -> Tree:
    files: dict[str, str] = {}
    secrets: list[service_secrets.Recipe] = []
    namespaces = []
    for release, own in services:
        name, namespace = release["name"], common_manifests.namespace(release)
        pods = [_of_store(each, context["object_store"]) for each in own] if release["buckets"] else own
        objects = [namespace, *common_manifests.policies(release, context), *pods]
        objects += common_manifests.route(release, context) + common_manifests.monitor(release, context)
        objects += provision.manifests(release, context)
        files[f"platform/{name}.yaml"] = text([common_manifests.kustomization(release, context["source"])])
        files[f"services/{name}/manifests.yaml"] = text(objects)
        secrets += service_secrets.recipes(release, context)
        namespaces.append(namespace)
    listed = catalogue.config_map([release for release, _own in services], context)
    files["platform/platform-services.yaml"] = text([listed])
    return {"files": dict(sorted(files.items())), "secrets": secrets, "namespaces": namespaces, "findings": []}


def text(objects: list[Manifest]) -> str:
    """YAML of the objects, keys in the order in which they were written."""
    options: dict[str, Any] = {"sort_keys": False, "width": 4096, "allow_unicode": True, "explicit_start": True}
    return str(yaml.dump_all(objects, Dumper=_Dumper, **options))


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
