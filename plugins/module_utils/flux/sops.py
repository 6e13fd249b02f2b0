# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Secrets that a user encrypted with SOPS: their findings, and what Flux gets.

Nothing is decrypted or encrypted here: encrypting again gives other bytes. Pure.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..findings import Finding
from ..kubernetes import manifests
from ..kubernetes.manifests import Manifest
from ..plain_data import plain

END = ".sops.yaml"
FLUX = "flux-system"
# Namespaces of every cluster.
ALWAYS = (FLUX, "kube-system", "default")
DATA = ("data", "stringData")
KEY = re.compile(r"^AGE-SECRET-KEY-1[0-9A-Z]+$", re.MULTILINE)
_ENCRYPT = "sops encrypt --in-place --age PUBLIC-KEY --encrypted-regex '^(data|stringData)$'"


def findings(files: Mapping[str, str], key: str, namespaces: Iterable[str], key_file: str) -> list[Finding]:
    """What keeps the files from being published, sorted.

    files: text by path, those of the fleet before those of the cluster.
    key: the private age key, empty when there is none.
    namespaces: those of the cluster's services.
    key_file: where the key is read from by default.
    """
    step = f"Encrypt it and name it *{END}, or remove it."
    found = [_error(path, f"is not named *{END}", step) for path in files if not path.endswith(END)]
    owners: dict[str, str] = {}
    for path, text in _by_name(plain(files)).values():
        documents, faults = _read(text)
        for document in documents:
            faults += _faults(path, document, {*namespaces, *ALWAYS})
            name = manifests.name_of(document) if isinstance(document, dict) else ""
            if (owner := owners.setdefault(name, path)) != path and name:
                faults.append(_error(path, f"{name} is also in {owner}", "Remove one of them."))
        found += [replace(each, subject=path) for each in faults]
    if files and not KEY.search(key):
        problem = "the age key has no line AGE-SECRET-KEY-1…" if key else "there is no age key to decrypt them"
        step = f"Run age-keygen -o {key_file}, or set flux_age_key from SOPS or ansible-vault."
        found.append(_error(", ".join(files), problem, step))
    return sorted(found)


def _error(path: str, problem: str, step: str) -> Finding:
    return Finding("error", path, "", problem, step)


def _by_name(files: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Path and text of each file that is published; a later one takes the place of one with the same name."""
    return {posixpath.basename(path): (path, text) for path, text in files.items() if path.endswith(END)}


def _read(text: str) -> tuple[list[Any], list[Finding]]:
    try:
        documents = manifests.load(text)
    except ValueError:
        return [], [_error("", "is not valid YAML", "Write it again, and encrypt it.")]
    return documents, [] if documents else [_error("", "is empty", "Remove it.")]


def _faults(path: str, document: Any, namespaces: set[str]) -> Iterator[Finding]:
    """The faults of one object of a file."""
    encrypt = f"{_ENCRYPT} {path}"
    if not isinstance(document, dict) or not isinstance(document.get("sops"), dict):
        yield _error(path, "is not encrypted, it has no key sops", f"Run {encrypt}")
        return
    metadata = document.get("metadata")
    is_secret = (document.get("apiVersion"), document.get("kind")) == ("v1", "Secret")
    if not is_secret or not isinstance(metadata, dict) or not metadata.get("name"):
        problem = "is not a Secret with apiVersion, kind and metadata in plain text"
        yield _error(path, problem, f"Decrypt it, then run {encrypt}")
        return
    parts = {part: document[part] for part in DATA if isinstance(document.get(part), dict)}
    values = {f"{part}.{key}": value for part, data in parts.items() for key, value in data.items()}
    # SOPS leaves empty values as they are.
    clear = [name for name, value in values.items() if value != "" and not str(value).startswith("ENC[")]
    if clear:
        problem = f"{', '.join(clear)} is in plain text"
        yield _error(path, problem, f"Replace values that others may have seen, then run {encrypt}")
    if not document["sops"].get("age"):
        step = f"Run sops rotate --in-place --add-age PUBLIC-KEY {path}"
        yield _error(path, "is not encrypted for an age key, the only kind that Flux has", step)
    namespace = metadata.get("namespace", "")
    if namespace not in namespaces:
        known = ", ".join(sorted(namespaces))
        step = "Enable its service, or move the file to secrets/CLUSTER/ of the cluster that has the namespace."
        yield _error(path, f"this cluster has no namespace '{namespace}' ({known})", step)


def published(files: Mapping[str, str], kustomization: str) -> dict[str, str]:
    """The files of the tree: the ciphertext unchanged, and the Kustomization that decrypts it; none without files."""
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
