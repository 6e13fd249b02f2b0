# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What can be said of manifests without a cluster: shape, order, equality, what may be shown."""

from __future__ import annotations

import base64
import contextlib
import copy
import hashlib
import json
from collections.abc import Iterable
from typing import Any, NamedTuple

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml

    # libyaml reads the Gateway API's megabyte ten times faster than Python does.
    _Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        """Writes texts of several lines as such, so that a diff of a ConfigMap can be read."""

    def _text(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    _Dumper.add_representer(str, _text)

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SERVER_MADE = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")

Manifest = dict[str, Any]


class Resource(NamedTuple):
    """Where the API server serves a kind: prefix ``apis/apps/v1``, plural ``daemonsets``."""

    prefix: str
    plural: str
    namespaced: bool

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return the path of the kind's list (in one namespace when given), or of one object."""
        parts = [self.prefix, "namespaces" if self.namespaced and namespace else ""]
        parts += [namespace if self.namespaced else "", self.plural, name]
        return "/" + "/".join(part for part in parts if part)


def load(text: str) -> list[Manifest]:
    """Return the objects of a YAML text; a List counts as its items. Raise ValueError for what is no YAML."""
    found: list[Manifest] = []
    try:
        documents = list(yaml.load_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    for document in documents:
        if isinstance(document, dict) and isinstance(document.get("items"), list):
            found += document["items"]
        elif document is not None:
            found.append(document)
    return found


def name_of(manifest: Manifest) -> str:
    """Return ``kind namespace/name`` for people; the namespace only when the manifest has one."""
    metadata = manifest.get("metadata") or {}
    parts = [metadata.get("namespace"), metadata.get("name")]
    return f"{manifest.get('kind')} {'/'.join(part for part in parts if part)}"


def findings(manifests: Iterable[Any]) -> list[str]:
    """Return a sentence for each manifest that cannot be applied, and for each that is there twice."""
    found, seen = [], set()
    for number, manifest in enumerate(manifests, start=1):
        if not isinstance(manifest, dict):
            found.append(f"manifest {number} is no mapping but {type(manifest).__name__}")
            continue
        metadata: Any = manifest.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        name = metadata.get("name")
        known = {"apiVersion": manifest.get("apiVersion"), "kind": manifest.get("kind"), "metadata.name": name}
        missing = [key for key, value in known.items() if not value]
        if missing:
            found.append(
                f"manifest {number} ({known['kind'] or 'no kind'} {name or 'without name'}) has no {', '.join(missing)}"
            )
            continue
        identity = (*known.values(), metadata.get("namespace"))
        if identity in seen:
            found.append(f"manifest {number} ({name_of(manifest)}) is listed twice: remove one")
        seen.add(identity)
    return found


def desired(manifest: Manifest) -> Manifest:
    """Return what is asked of the server: no status, and a Secret's stringData as data (it can be compared)."""
    wanted = copy.deepcopy({key: value for key, value in manifest.items() if key != "status"})
    if wanted["kind"] == "Secret" and wanted.get("stringData"):
        plain = wanted.pop("stringData")
        coded = {key: base64.b64encode(str(value).encode()).decode() for key, value in plain.items()}
        wanted["data"] = {**(wanted.get("data") or {}), **coded}
    return wanted


def stages(manifests: Iterable[Manifest]) -> list[list[Manifest]]:
    """Return the manifests in order: what others need to exist (CRDs, Namespaces), then the rest."""
    ordered = sorted(manifests, key=lambda each: (each["kind"], name_of(each)))
    first = [each for each in ordered if each["kind"] in ("CustomResourceDefinition", "Namespace")]
    return [stage for stage in (first, [each for each in ordered if each not in first]) if stage]


def resources_of_crds(manifests: Iterable[Manifest]) -> dict[tuple[str, str], Resource]:
    """Return where the kinds will be served that CRDs among the manifests define, by (apiVersion, kind)."""
    found = {}
    for spec in (each["spec"] for each in manifests if each["kind"] == "CustomResourceDefinition"):
        for version in (each["name"] for each in spec["versions"] if each.get("served")):
            api = f"{spec['group']}/{version}"
            found[api, spec["names"]["kind"]] = Resource(
                f"apis/{api}", spec["names"]["plural"], spec["scope"] == "Namespaced"
            )
    return found


def meaning(manifest: Manifest | None) -> Manifest:
    """Return the object without what the server adds at each write; an absent object is empty."""
    kept = dict(manifest or {})
    if "metadata" in kept:
        kept["metadata"] = {key: value for key, value in kept["metadata"].items() if key not in _SERVER_MADE}
    return kept


def _digest(value: Any) -> str:
    """Return a short digest, so that a person sees that a value changed and not what it is."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def redact(manifest: Manifest) -> Manifest:
    """Return a copy to show: Secret data and the schemas of CRDs (long, not secret) as digests."""
    shown = copy.deepcopy(manifest)
    if shown.get("kind") == "Secret":
        for key in ("data", "stringData"):
            if shown.get(key):
                shown[key] = {name: _digest(value) for name, value in shown[key].items()}
        annotations = (shown.get("metadata") or {}).get("annotations") or {}
        if _LAST_APPLIED in annotations:
            annotations[_LAST_APPLIED] = _digest(annotations[_LAST_APPLIED])
    if shown.get("kind") == "CustomResourceDefinition":
        for version in (shown.get("spec") or {}).get("versions") or []:
            version["schema"] = _digest(version.get("schema"))
    return shown


def diff(name: str, before: Manifest | None, after: Manifest) -> dict[str, str]:
    """Return one entry of Ansible's diff mode: both objects as YAML, redacted, without what the server adds."""
    texts = [
        yaml.dump(redact({key: value for key, value in meaning(side).items() if key != "status"}), Dumper=_Dumper)
        if side
        else ""
        for side in (before, after)
    ]
    return {"before_header": name, "after_header": name, "before": texts[0], "after": texts[1]}
