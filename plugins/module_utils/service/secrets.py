# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The Secrets of services, and their values, derived from one key. Pure.

A value is HKDF-SHA256 (RFC 5869) of the fleet's key without salt, with the info
``<cluster>/<namespace>/<secret>/<key>`` of the service that it belongs to, one byte for each character and 16 more,
read as one big-endian number; its digits to the base of the alphabet, the lowest first, are the characters.
So only the key must be kept: the same key always gives the same values.
"""

from __future__ import annotations

import contextlib
import string
from typing import Any

from ..kubernetes.manifests import Manifest
from .schema import DATABASE, Release

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ALPHABETS = {"letters": string.ascii_letters + string.digits, "hex": "0123456789abcdef"}
LEAST_KEY = 32
Recipe = dict[str, Any]


def recipes(release: Release, context: dict[str, Any]) -> list[Recipe]:
    """Each Secret of the service: name and namespace, the path of its values, and a rule for each key."""
    found = [_recipe(release, name, keys) for name, keys in release["secrets"].items()]
    if release["database"]:
        own = _recipe(release, "database", database(release), type="kubernetes.io/basic-auth")
        # Without this label the operator ignores a changed password.
        own |= {"labels": {"cnpg.io/reload": "true"}} if context["database"] == "cloudnative_pg" else {}
        found += [own, {**own, "namespace": DATABASE}]
    if release["buckets"]:
        store = context["object_store"]
        own = _recipe(release, "bucket", bucket(store))
        found += [own, {**own, "namespace": store}]
    return found


def database(release: Release) -> dict[str, Any]:
    """Rules for the keys of a database's Secret."""
    name = release["name"].replace("-", "_")
    return {
        "host": "postgres.postgres",
        "port": "5432",
        "database": name,
        "username": name,
        "password": {"length": 32},
        "uri": {"format": "postgresql://{username}:{password}@{host}:{port}/{database}"},
    }


def bucket(store: str) -> dict[str, Any]:
    """Rules for the keys of a bucket's Secret, named as S3 clients read them."""
    return {
        "AWS_ACCESS_KEY_ID": {"length": 24, "characters": "hex", "prefix": "GK"},
        "AWS_SECRET_ACCESS_KEY": {"length": 64, "characters": "hex"},
        "AWS_ENDPOINT_URL": f"http://{store}.{store}:9000",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
    }


def bucket_of_peer(store: str, key: str, owner: str, name: str, namespace: str) -> Manifest:
    """The Secret for the buckets of service `name` in cluster `owner`, for a namespace of another cluster."""
    secret = f"{name}-bucket"
    recipe = {"name": secret, "namespace": namespace, "path": f"{name}/{secret}", "type": "Opaque", "labels": {}}
    return secrets([{**recipe, "data": bucket(store)}], key, owner)[0]


def secrets(recipes: list[Recipe], key: str, cluster: str) -> list[Manifest]:
    """The Secrets as manifests; ValueError for a key of less than 32 characters.

    key: the fleet's key.
    """
    if len(key.strip()) < LEAST_KEY:
        raise ValueError(f"the fleet's key has {len(key.strip())} characters, it needs at least {LEAST_KEY}")
    return [_secret(recipe, key.strip().encode(), cluster) for recipe in recipes]


def _recipe(release: Release, name: str, keys: dict[str, Any], **more: Any) -> Recipe:
    secret = f"{release['name']}-{name}"
    return {
        "name": secret,
        "namespace": release["namespace"],
        "path": f"{release['namespace']}/{secret}",
        "type": "Opaque",
        "labels": {},
        "data": keys,
        **more,
    }


def _secret(recipe: Recipe, key: bytes, cluster: str) -> Manifest:
    made = {
        name: rule if isinstance(rule, str) else derived(key, f"{cluster}/{recipe['path']}/{name}", rule)
        for name, rule in recipe["data"].items()
        if isinstance(rule, str) or "length" in rule
    }
    texts = {name: rule["format"].format(**made) for name, rule in recipe["data"].items() if name not in made}
    metadata = {"name": recipe["name"], "namespace": recipe["namespace"]}
    metadata |= {"labels": dict(recipe["labels"])} if recipe["labels"] else {}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": recipe["type"]}
    return {**secret, "stringData": made | texts}


def derived(key: bytes, path: str, rule: dict[str, Any]) -> str:
    """The value of one path, by its rule {length, characters, prefix}."""
    alphabet = ALPHABETS[rule.get("characters", "letters")]
    stream = HKDF(algorithm=SHA256(), length=rule["length"] + 16, salt=None, info=path.encode()).derive(key)
    number, characters = int.from_bytes(stream, "big"), ""
    for _ in range(rule["length"]):
        number, digit = divmod(number, len(alphabet))
        characters += alphabet[digit]
    return f"{rule.get('prefix', '')}{characters}"
