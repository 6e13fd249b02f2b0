# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Secrets that a user encrypted with SOPS: what is wrong with them, and what Flux gets.

Nothing is decrypted or encrypted here: to encrypt again gives other bytes. Pure.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any

from ..kubernetes import manifests
from ..kubernetes.manifests import Manifest
from ..service.context import plain

END = ".sops.yaml"
FLUX = "flux-system"
# Namespaces that every cluster has.
ALWAYS = (FLUX, "kube-system", "default")
DATA = ("data", "stringData")
KEY = re.compile(r"^AGE-SECRET-KEY-1[0-9A-Z]+$", re.MULTILINE)
_ENCRYPT = "sops encrypt --in-place --age PUBLIC-KEY --encrypted-regex '^(data|stringData)$'"


def findings(files: Mapping[str, str], key: str, namespaces: list[str], key_file: str) -> list[str]:
    """What keeps the files from being published, sorted, each with its next step.

    :param files: text by path, those of the fleet before those of the cluster.
    :param namespaces: those of the cluster's services.
    :param key_file: where a key would be looked for.
    """
    step = f"encrypt it and call it *{END}, or take it away"
    found = [f"{path}: is published by nobody, only *{END} is: {step}." for path in files if not path.endswith(END)]
    owners: dict[str, str] = {}
    for path, text in _by_name(plain(files)).values():
        documents, faults = _read(text)
        for document in documents:
            faults += _faults(path, document, {*namespaces, *ALWAYS})
            name = manifests.name_of(document) if isinstance(document, dict) else ""
            if (owner := owners.setdefault(name, path)) != path and name:
                faults.append(f"{name} stands in {owner} too: remove one")
        found += [f"{path}: {fault}." for fault in faults]
    if files and not KEY.search(key):
        what = "the age key is none, it has no line AGE-SECRET-KEY-1…" if key else "there is no age key for them"
        step = f"age-keygen -o {key_file}, or set flux_age_key from SOPS or ansible-vault"
        found.append(f"{', '.join(files)}: {what}: {step}.")
    return sorted(found)


def _by_name(files: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Path and text of each file that is published; a later one takes the place of one with the same name."""
    return {posixpath.basename(path): (path, text) for path, text in files.items() if path.endswith(END)}


def _read(text: str) -> tuple[list[Any], list[str]]:
    try:
        documents = manifests.load(text)
    except ValueError:
        return [], ["is no YAML: write it anew, and encrypt it"]
    return documents, [] if documents else ["is empty: take it away"]


def _faults(path: str, document: Any, namespaces: set[str]) -> list[str]:
    """What is wrong with one object of a file."""
    if not isinstance(document, dict) or not isinstance(document.get("sops"), dict):
        return [f"is not encrypted, it has no key sops: {_ENCRYPT} {path}"]
    metadata = document.get("metadata")
    is_secret = (document.get("apiVersion"), document.get("kind")) == ("v1", "Secret")
    if not is_secret or not isinstance(metadata, dict) or not metadata.get("name"):
        return [f"is no Secret with apiVersion, kind and metadata in clear: decrypt it, and then {_ENCRYPT} {path}"]
    found = []
    parts = {part: document[part] for part in DATA if isinstance(document.get(part), dict)}
    values = {f"{part}.{key}": value for part, data in parts.items() for key, value in data.items()}
    # SOPS leaves what is empty as it is.
    clear = [name for name, value in values.items() if value != "" and not str(value).startswith("ENC[")]
    if clear:
        found.append(f"{', '.join(clear)} is in clear: replace what others may have seen, and then {_ENCRYPT} {path}")
    if not document["sops"].get("age"):
        step = f"sops rotate --in-place --add-age PUBLIC-KEY {path}"
        found.append(f"is encrypted for no age key, Flux has no other: {step}")
    namespace = metadata.get("namespace", "")
    if namespace not in namespaces:
        known = ", ".join(sorted(namespaces))
        step = "switch its service on, or move the file to secrets/CLUSTER/ of the cluster that has it"
        found.append(f"this cluster has no namespace '{namespace}' ({known}): {step}")
    return found


def published(files: Mapping[str, str], kustomization: str) -> dict[str, str]:
    """The files of the tree: the ciphertext as it is, and the Kustomization that decrypts it. None without any."""
    made = {f"services/secrets/{name}": text for name, (_path, text) in sorted(_by_name(files).items())}
    return {"platform/secrets.yaml": kustomization, **made} if made else {}


def secrets(keys: Mapping[str, Mapping[str, str]]) -> list[Manifest]:
    """The Secrets that Flux itself reads, from their keys by name; those without keys are left out."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": FLUX},
            "type": "Opaque",
            "stringData": dict(data),
        }
        for name, data in keys.items()
        if data
    ]
