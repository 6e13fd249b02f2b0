# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Derive the fleet's kubeconfig of an existing cluster from the user's. Pure."""

from __future__ import annotations

import contextlib
import posixpath

from ..cluster.kubeconfig import Entry, document

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml

_FILES_OF_CLUSTER = ("certificate-authority",)
_FILES_OF_USER = ("client-certificate", "client-key", "tokenFile")


def chosen(text: str, context: str = "") -> tuple[Entry, Entry, Entry]:
    """The context's own entry, its cluster's and its user's.

    :param text: a kubeconfig.
    :param context: name of the context; the current one when empty.
    :raises ValueError: with what is wrong, in words that follow the file's name.
    """
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError("is not YAML") from error
    if not isinstance(config, dict) or not config.get("contexts"):
        raise ValueError("is not a kubeconfig: it has no contexts")
    wanted = context or config.get("current-context") or ""
    entry = _named(config, "contexts", wanted, "context")
    cluster = _named(config, "clusters", entry.get("cluster", ""), "cluster")
    if not cluster.get("server"):
        raise ValueError(f"has no server in its cluster '{entry['cluster']}'")
    return entry, cluster, _named(config, "users", entry.get("user", ""), "user")


def own(text: str, path: str, name: str, context: str = "") -> Entry:
    """The fleet's kubeconfig: one context, named after the cluster, for the same server and user.

    Exec plugins, certificates and tokens stay as they are; relative paths become absolute.

    :param text: content of the user's kubeconfig.
    :param path: its absolute path.
    :param name: the cluster's name, which becomes that of cluster, context and user.
    :param context: the context to take; the current one when empty.
    """
    entry, cluster, user = chosen(text, context)
    folder = posixpath.dirname(path)
    cluster = {**cluster, **_absolute(cluster, _FILES_OF_CLUSTER, folder)}
    user = {**user, **_absolute(user, _FILES_OF_USER, folder)}
    command = (user.get("exec") or {}).get("command", "")
    if "/" in command:
        # A command without a slash is searched in PATH.
        user["exec"] = {**user["exec"], "command": posixpath.normpath(posixpath.join(folder, command))}
    return document(name, cluster, user, entry)


def _named(config: Entry, kind: str, name: str, key: str) -> Entry:
    entries = {each.get("name"): each for each in config.get(kind) or [] if isinstance(each, dict)}
    if name not in entries or not isinstance(entries[name].get(key) or {}, dict):
        known = ", ".join(sorted(map(str, entries))) or "none"
        raise ValueError(f"has no {key} '{name}'. Known: {known}" if name else f"has no current {key}. Known: {known}")
    return dict(entries[name].get(key) or {})


def _absolute(entry: Entry, keys: tuple[str, ...], folder: str) -> Entry:
    return {key: posixpath.normpath(posixpath.join(folder, entry[key])) for key in keys if entry.get(key)}
