# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""HTTP proxy settings of a fleet, in the form that each program reads. Pure."""

from __future__ import annotations

import ipaddress

from .record import FleetRecord

LOCAL = ("localhost", "127.0.0.1", "::1", ".svc", ".cluster.local")


def no_proxy(record: FleetRecord, name: str) -> list[str]:
    """What a cluster reaches without the proxy: its networks, all nodes and API servers, and platform_no_proxy."""
    cluster = record["clusters"][name]
    # Nodes of all clusters talk to each other in a mesh.
    nodes = [str(node["address"]) for node in record["nodes"].values()]
    apis = [str(each["endpoint"]).rpartition(":")[0] for each in record["clusters"].values()]
    own = [word.strip() for word in str(record["platform"]["no_proxy"]).split(",")]
    every = [*LOCAL, cluster["pod_cidr"], cluster["service_cidr"], *nodes, *apis, cluster["api_host"], *own]
    every.insert(len(LOCAL), record["host_address"])
    return [*dict.fromkeys(word for word in every if word)]


def environment(http: str, https: str, without: list[str]) -> dict[str, str]:
    """Environment variables in both spellings, because libraries differ; none without a proxy."""
    found = {"HTTP_PROXY": http, "HTTPS_PROXY": https}
    found = {name: url for name, url in found.items() if url}
    found |= {"NO_PROXY": ",".join(without)} if found else {}
    return found | {name.lower(): value for name, value in found.items()}


def environment_file(variables: dict[str, str]) -> str:
    """The variables as systemd's EnvironmentFile reads them."""
    quoted = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in variables.items()}
    return "".join(f'{name}="{value}"\n' for name, value in quoted.items())


def apt(variables: dict[str, str]) -> str:
    """The variables as a file of apt.conf.d, which supports hosts, but neither ranges nor domains."""
    lines = []
    for scheme in ("http", "https"):
        if url := variables.get(f"{scheme}_proxy"):
            lines.append(f'Acquire::{scheme}::Proxy "{url}";')
            hosts = [word for word in variables["no_proxy"].split(",") if _is_host(word)]
            lines += [f'Acquire::{scheme}::Proxy::{host} "DIRECT";' for host in hosts]
    return "".join(f"{line}\n" for line in lines)


def _is_host(word: str) -> bool:
    """Whether it is a host that apt.conf can name; a colon separates words there."""
    try:
        return ipaddress.ip_address(word).version == 4
    except ValueError:
        return not set(word) & set("/:*") and not word.startswith(".")
