# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The keys of service_release, their types and defaults. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..findings import Finding, did_you_mean

Release = dict[str, Any]
Faults = Iterator[Finding]
WORDS = {str: "a string", int: "an integer", bool: "true or false", list: "a list", dict: "a mapping"}

POD_SECURITY = ("restricted", "baseline", "privileged")
SSO = ("native", "proxy", "none")
CHARACTERS = ("letters", "hex")
# Words that stand for more than one namespace.
CLIENTS = ("all", "fleet")
# Name and namespace of the service that holds the databases, with and without an operator.
DATABASE = "postgres"


@dataclass(frozen=True)
class Key:
    """The types that one key allows, and its default (None: none)."""

    kinds: tuple[type, ...]
    default: Any = None
    required: bool = False


RELEASE = {
    "name": Key((str,), required=True),
    "namespace": Key((str,), ""),
    "chart": Key((dict,)),
    "manifests": Key((str,)),
    "values": Key((dict,), {}),
    "overrides": Key((dict,), {}),
    "route": Key((dict,)),
    "database": Key((bool,), False),
    "bucket": Key((bool, list), False),
    "secrets": Key((dict,), {}),
    "requires": Key((list,), []),
    "pod_security": Key((str,), POD_SECURITY[0]),
    "clients": Key((str, list), []),
    "backup": Key((bool,), False),
    "monitoring": Key((dict,), {}),
    "timeout": Key((int,), 300),
}
CHART = {name: Key((str,), required=True) for name in ("repo", "name", "version")}
ROUTE = {
    "port": Key((int,), required=True),
    "sso": Key((str,), required=True),
    "service": Key((str,), ""),
    "host": Key((str,), ""),
    "reason": Key((str,), ""),
}
MONITORING = {"port": Key((str,), required=True), "path": Key((str,), "/metrics")}
GENERATED = {"length": Key((int,), required=True), "characters": Key((str,), CHARACTERS[0]), "prefix": Key((str,), "")}


def fault(key: str, problem: str, step: str) -> Finding:
    """An error of one key; whoever reports it adds the subject and where it is."""
    return Finding("error", "", key, problem, step)


def shape(schema: dict[str, Key], own: Any, prefix: str = "") -> Faults:
    """Unknown keys, wrong types and missing keys."""
    for name in (name for name in own if name not in schema):
        yield fault(f"{prefix}{name}", "is not a known key", did_you_mean(str(name), schema))
    for name, key in schema.items():
        value = own.get(name)
        if value is None:
            if key.required:
                yield fault(f"{prefix}{name}", "is missing", f"Set it to {WORDS[key.kinds[0]]}.")
        elif not any(holds(value, kind) for kind in key.kinds):
            words = " or ".join(WORDS[kind] for kind in key.kinds)
            yield fault(f"{prefix}{name}", f"{value!r} is not {words}", f"Set it to {words}.")


def holds(value: Any, kind: type) -> bool:
    """Whether the value is of the type; to Python True is an integer too."""
    return isinstance(value, kind) and (kind is not int or not isinstance(value, bool))


def choice(key: str, value: str, known: Iterable[str]) -> Faults:
    """A word that is none of the known ones."""
    if value not in known:
        yield fault(key, f"'{value}' is unknown", did_you_mean(value, known))


def filled(release: Release, context: dict[str, Any]) -> Release:
    """A valid description with all defaults: names, host, buckets, and the providers that it requires."""
    wanted = _with_defaults(RELEASE, release)
    name = wanted["name"]
    wanted["namespace"] = wanted["namespace"] or name
    if wanted["route"]:
        own = _with_defaults(ROUTE, wanted["route"])
        wanted["route"] = {**own, "service": own["service"] or name, "host": own["host"] or name}
    if wanted["monitoring"]:
        wanted["monitoring"] = _with_defaults(MONITORING, wanted["monitoring"])
    wanted["buckets"] = [name] if wanted["bucket"] is True else wanted["bucket"] or []
    wanted["values"] = merged(wanted["values"], wanted["overrides"])
    providers = [DATABASE] * bool(wanted["database"]) + [context["object_store"]] * bool(wanted["buckets"])
    wanted["requires"] = sorted({*wanted["requires"], *providers})
    return wanted


def merged(values: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`values` with `over` merged into it: mappings key by key, anything else replaced."""
    result = dict(values)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def _with_defaults(schema: dict[str, Key], own: Release) -> Release:
    return {name: own.get(name, key.default) for name, key in schema.items()}
