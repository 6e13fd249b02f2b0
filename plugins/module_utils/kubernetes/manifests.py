# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What can be said of manifests without asking a cluster: shape, order, equality, what may be shown.

From an object's managedFields follows whether an apply could change anything: the server notes for each field who set
it last. A field that we want and that is ours and has our value needs no request; anything else (another owner, a
default, a quantity in another spelling) is left to the server's dry run. So a wrong "no" costs one read-only request,
and there is no wrong "yes".
"""

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
Fields = dict[str, Any]  # fieldsV1 of managedFields


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
            shown = f"{known['kind'] or 'no kind'} {name or 'without name'}"
            found.append(f"manifest {number} ({shown}) has no {', '.join(missing)}")
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
        names, namespaced = spec["names"], spec["scope"] == "Namespaced"
        for version in (each["name"] for each in spec["versions"] if each.get("served")):
            api = f"{spec['group']}/{version}"
            found[api, names["kind"]] = Resource(f"apis/{api}", names["plural"], namespaced)
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


def owned_fields(live: dict[str, Any], manager: str) -> Fields | None:
    """Return fieldsV1 of what the manager applied to this object at its API version, None if nothing."""
    for entry in live["metadata"].get("managedFields") or []:
        mine = entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource")
        if mine and entry.get("apiVersion") == live.get("apiVersion"):
            return dict(entry.get("fieldsV1") or {}) or None
    return None


def is_current(desired: dict[str, Any], live: dict[str, Any], manager: str) -> bool:
    """Return True only if the manager owns exactly the desired fields and each has the desired value."""
    fields = owned_fields(live, manager)
    if fields is None or desired["apiVersion"] != live.get("apiVersion"):
        return False
    wanted = {key: value for key, value in desired.items() if key not in ("apiVersion", "kind")}
    wanted["metadata"] = {key: value for key, value in desired["metadata"].items() if key not in ("name", "namespace")}
    if not wanted["metadata"]:
        del wanted["metadata"]
    return _same(wanted, live, fields)


def _same(desired: Any, live: Any, fields: Fields) -> bool:
    """Compare one value with the live one along the fields that are owned below it."""
    below = {key: value for key, value in fields.items() if key != "."}
    if not below:  # a scalar, or a list or map that is replaced as a whole
        return bool(desired == live)
    if isinstance(desired, dict) and isinstance(live, dict):
        return below.keys() == {f"f:{key}" for key in desired} and all(
            key in live and _same(value, live[key], below[f"f:{key}"]) for key, value in desired.items()
        )
    if isinstance(desired, list) and isinstance(live, list) and len(below) == len(desired):
        return _same_items(desired, live, below)
    return False


def _same_items(desired: list[Any], live: list[Any], below: Fields) -> bool:
    """Compare a list whose items the server knows by key (``k:``) or by value (``v:``)."""
    for path, fields in below.items():
        kind, _colon, text = path.partition(":")
        identity = json.loads(text)
        if kind == "v" and not (identity in desired and identity in live):
            return False
        if kind == "k":
            # A key that the manifest leaves out (protocol of a port) has the server's default.
            ours = [item for item in desired if all(item.get(key, value) == value for key, value in identity.items())]
            theirs = [item for item in live if all(item.get(key) == value for key, value in identity.items())]
            if len(ours) != 1 or len(theirs) != 1 or not _same(ours[0], theirs[0], fields):
                return False
    return True
