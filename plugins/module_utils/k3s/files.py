# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Which files a node of a k3s cluster has, and what keeps it from having them. Pure."""

from __future__ import annotations

from typing import Any

# Flags --etcd-s3-<name> of k3s.
S3 = (
    "access_key",
    "bucket",
    "endpoint",
    "endpoint_ca",
    "folder",
    "insecure",
    "proxy",
    "region",
    "retention",
    "secret_key",
    "skip_ssl_verify",
    "timeout",
)


def s3(settings: dict[str, Any]) -> dict[str, Any]:
    """Keys of k3s' configuration for snapshots on S3; empty without settings.

    :param settings: ``cluster_k3s_s3``.
    """
    keys = {f"etcd-s3-{key.replace('_', '-')}": value for key, value in sorted(settings.items())}
    return {"etcd-s3": True, **keys} if settings else {}


def registries(names: list[str], mirror: str) -> dict[str, Any]:
    """registries.yaml that sends containerd to the mirror first, which keeps registry/x as repository registry/x.

    :param mirror: URL of the images' mirror; empty for none.
    """
    if not mirror:
        return {}
    return {"mirrors": {name: {"endpoint": [mirror], "rewrite": {"^(.*)$": f"{name}/$1"}} for name in names}}


def looked_at(names: list[str], hostvars: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What was found on each node that was asked, by name, in the order given."""
    found = {name: hostvars[name].get("__cluster_k3s_found") for name in names if name in hostvars}
    return {name: one for name, one in found.items() if one and "state" in one}


def in_state(found: dict[str, dict[str, Any]], *states: str) -> list[str]:
    """Nodes that are in one of the states, in the order given."""
    return [name for name, one in found.items() if one["state"] in states]


def node_findings(name: str, found: dict[str, dict[str, Any]], servers: list[str], wanted: str) -> list[str]:
    """What keeps this node from what the inventory wants; never seen of a node that is in no cluster yet.

    :param found: as :func:`looked_at` of the cluster's nodes.
    :param wanted: version of k3s.
    """
    mine = found.get(name, {"state": "absent"})
    if mine["state"] == "absent":
        return []
    findings = []
    if mine["version"] not in ("", wanted):
        findings.append(
            f"{name} runs k3s {mine['version']}, and the inventory wants {wanted}. "
            "An upgrade is a step of its own: ansible-playbook playbooks/upgrade.yml"
        )
    if not mine["same_token"]:
        findings.append(
            f"{name} is in its cluster with another token than cluster_k3s_token or .state/clusters/<cluster>/token "
            "says. To change it run on a server: k3s token rotate"
        )
    order = [one for one in servers if found.get(one, {}).get("state") == "running"] + servers
    giver = next((one for one in order if found.get(one, {}).get("ca")), "")
    if giver and mine["ca"] and mine["ca"] != found[giver]["ca"]:
        findings.append(
            f"{name} holds data of another cluster than {giver}: its CA is {mine['ca'][:12]}, there it is "
            f"{found[giver]['ca'][:12]}. If its data may be lost, remove k3s from it, then run again."
        )
    return findings
