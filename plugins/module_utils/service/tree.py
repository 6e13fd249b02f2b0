# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""From the descriptions of a cluster's services to the tree that Flux applies. Pure."""

from __future__ import annotations

import re
from typing import Any

import yaml

from ..findings import Finding
from ..kubernetes.manifests import Manifest
from . import catalogue, common_manifests, flux, manifest_checks, provision, validate
from . import secrets as service_secrets
from .context import plain
from .schema import Release, filled

Context = dict[str, Any]


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes texts of several lines as such, and everything in full."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


# Texts that readers of other YAML versions take for numbers or truth; PyYAML would leave them plain.
_AMBIGUOUS = re.compile(r"[-+]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)([eE][-+]?\d+)?|0o[0-7_]+|[yYnN]")


def _text(dumper: Any, value: str) -> Any:
    style = "|" if "\n" in value else "'" if _AMBIGUOUS.fullmatch(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def manifests(releases: list[dict[str, Any]], context: Context) -> dict[str, Any]:
    """The tree's files, the recipes of its Secrets and its Namespaces; ValueError with all findings.

    :param releases: the fact platform_releases: of each service {role, release, rendered}.
    """
    services, found = _judged(releases, plain(context))
    if found:
        raise ValueError("\n".join(["these services cannot be published:", *map(str, found)]))
    return _tree(services, plain(context))


def findings(releases: list[dict[str, Any]], context: Context) -> list[str]:
    """What is wrong with any of the services, sorted."""
    return [str(finding) for finding in _judged(releases, plain(context))[1]]


def _judged(
    releases: list[dict[str, Any]], context: Context
) -> tuple[list[tuple[Release, list[Manifest]]], list[Finding]]:
    """The sound descriptions, each with its own objects, and all findings."""
    entries = sorted(plain(releases), key=lambda entry: (str(entry["release"].get("name")), entry["role"]))
    found: list[Finding] = []
    sound: list[tuple[Release, dict[str, Any]]] = []
    for entry in entries:
        faults = validate.findings(entry)
        found += faults
        sound += [] if faults else [(filled(entry["release"], context), entry)]
    switched_on = {str(entry["release"].get("name")) for entry in entries}
    found += validate.together([(release, entry["role"]) for release, entry in sound], switched_on, context)
    made = []
    for release, entry in sound:
        own, faults = _own(release, entry)
        made.append((release, own))
        found += faults
    return made, sorted(set(found))


def _own(release: Release, entry: dict[str, Any]) -> tuple[list[Manifest], list[Finding]]:
    """The service's own objects, each in its namespace, and what is wrong with them."""
    if release["chart"]:
        return flux.chart(release), []
    name, namespace = release["name"], release["namespace"]
    where = f"{release['manifests']} of role {entry['role']}"
    objects, found = manifest_checks.rendered(name, entry["rendered"], where)
    if found:
        return [], found
    found = manifest_checks.objects(name, namespace, release["pod_security"], objects, where)
    for problem, step in manifest_checks.route(release, objects) if release["route"] else ():
        found.append(validate.of_key(name, "route", problem, step, entry["role"]))
    return [_placed(manifest, namespace) for manifest in objects], found


def _placed(manifest: Manifest, namespace: str) -> Manifest:
    """The object in its namespace; a claim for storage outlives its service."""
    metadata = dict(manifest["metadata"])
    if manifest["kind"] not in manifest_checks.CLUSTER_KINDS:
        metadata = {"name": metadata["name"], "namespace": namespace, **metadata}
    if manifest["kind"] == "PersistentVolumeClaim":
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **common_manifests.KEPT}
    return {**manifest, "metadata": metadata}


def _of_store(manifest: Manifest, store: str) -> Manifest:
    """The object, its pods marked with the object store: they start anew with the keys of another one."""
    if manifest["kind"] not in ("Deployment", "StatefulSet", "DaemonSet"):
        return manifest
    template = manifest["spec"]["template"]
    metadata = template.get("metadata") or {}
    marks = {**(metadata.get("annotations") or {}), "opendata.platform/object-store": store}
    marked = {**template, "metadata": {**metadata, "annotations": marks}}
    return {**manifest, "spec": {**manifest["spec"], "template": marked}}


def _tree(services: list[tuple[Release, list[Manifest]]], context: Context) -> dict[str, Any]:
    files, secrets, namespaces = {}, [], []
    for release, own in services:
        name, namespace = release["name"], common_manifests.namespace(release)
        pods = [_of_store(each, context["object_store"]) for each in own] if release["buckets"] else own
        objects = [namespace, *common_manifests.policies(release, context), *pods]
        objects += common_manifests.route(release, context) + common_manifests.monitor(release, context)
        objects += provision.manifests(release, context)
        files[f"platform/{name}.yaml"] = text([flux.kustomization(release, context["source"])])
        files[f"services/{name}/manifests.yaml"] = text(objects)
        secrets += service_secrets.recipes(release, context)
        namespaces.append(namespace)
    listed = catalogue.config_map([release for release, _own in services], context)
    files["platform/platform-services.yaml"] = text([listed])
    return {"files": dict(sorted(files.items())), "secrets": secrets, "namespaces": namespaces}


def text(objects: list[Manifest]) -> str:
    """YAML of the objects, keys in the order in which they were written."""
    options = {"Dumper": _Dumper, "sort_keys": False, "width": 4096, "allow_unicode": True, "explicit_start": True}
    return yaml.dump_all(objects, **options)
