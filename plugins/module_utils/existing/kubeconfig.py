# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The fleet's kubeconfig of an existing cluster, from the user's, and where its nodes reach the API server. Pure."""

from __future__ import annotations

import contextlib
import ipaddress
import posixpath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ..cluster.kubeconfig import Entry, document

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml

# Carrier-grade NAT and overlay networks (RFC 6598): addresses that the controller can reach, but nodes cannot.
_SHARED = ipaddress.ip_network("100.64.0.0/10")
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
    if not isinstance(cluster.get("server"), str) or not cluster["server"]:
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
    listed = config[kind] if isinstance(config.get(kind), list) else []
    entries = {str(each.get("name")): each for each in listed if isinstance(each, dict)}
    name = str(name or "")
    if name not in entries or not isinstance(entries[name].get(key) or {}, dict):
        known = ", ".join(sorted(entries)) or "none"
        raise ValueError(f"has no {key} '{name}'. Known: {known}" if name else f"has no current {key}. Known: {known}")
    return dict(entries[name].get(key) or {})


def _absolute(entry: Entry, keys: tuple[str, ...], folder: str) -> Entry:
    return {key: posixpath.normpath(posixpath.join(folder, entry[key])) for key in keys if entry.get(key)}


class Api(NamedTuple):
    """Host and port for Cilium (port 0: none found), their source, and why the kubeconfig's server was skipped."""

    host: str
    port: int
    source: str
    passed: str = ""


def address_of(server: str) -> tuple[str, int]:
    """Host and port of a server's URL."""
    parts = urlsplit(server)
    return parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)


def unfit(entry: dict[str, Any], addresses: list[str]) -> str:
    """Why nodes cannot use the server of a kubeconfig; empty if they can.

    :param entry: the cluster's entry of the kubeconfig.
    :param addresses: what its host resolves to here; itself, if it is an address; nothing, if the name is unknown.
    """
    host = address_of(entry["server"])[0]
    if entry.get("proxy-url"):
        return "the kubeconfig reaches it through a proxy"
    if entry.get("tls-server-name") not in (None, "", host):
        return f"its certificate is for {entry['tls-server-name']}, so {host} is the end of a tunnel"
    if urlsplit(entry["server"]).path.strip("/"):
        return "its URL has a path, so something else answers in front of it"
    if not addresses:
        return f"the name {host} is unknown here"
    for address in map(ipaddress.ip_address, addresses):
        if address.is_loopback or address.is_unspecified or address.is_link_local:
            return f"{host} is an address of this machine only"
        if address.version == 4 and address in _SHARED:
            return f"{host} is an address of an overlay network"
    return ""


def choose_api(entry: dict[str, Any], addresses: list[str], endpoints: list[tuple[str, int]]) -> Api:
    """The kubeconfig's server if nodes can use it, else the first endpoint of Service default/kubernetes.

    :param endpoints: addresses and ports of the EndpointSlices of default/kubernetes.
    """
    reason = unfit(entry, addresses)
    if not reason:
        return Api(*address_of(entry["server"]), "the kubeconfig")
    usable = sorted(each for each in endpoints if not ipaddress.ip_address(each[0]).is_loopback)
    if usable:
        return Api(*usable[0], "EndpointSlice default/kubernetes", reason)
    return Api("", 0, "", reason)
