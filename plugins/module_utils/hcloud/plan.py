# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What a run will change at the servers of Hetzner Cloud, and what it refuses to. Pure."""

from __future__ import annotations

from typing import Any

from ..findings import Finding
from .resources import LABEL, ROLES, carries

VARIABLE = "machine_hcloud_delete"
Record = dict[str, Any]


def typed(text: str) -> list[str]:
    """The names in what a person typed, "north-3, data" -> ["north-3", "data"]."""
    return [word for word in str(text).replace(",", " ").split() if word]


def node_of(server: Record) -> str:
    """The node name in the label of a server, whose own name may have been changed; the name of anything else."""
    return str(server["labels"].get(f"{LABEL}/node", server["name"]))


def plan(
    wanted: dict[str, Record], known: list[str], servers: list[Record], volumes: list[Record], delete: str
) -> dict[str, Any]:
    """Compare the inventory with the project.

    :param wanted: by node name server_type, image, location, address, network (a name) and labels.
    :param known: every Hetzner Cloud node in the inventory, also those outside of --limit.
    :param servers: the fleet's servers, as module hetzner.hcloud.server_info returns them.
    :param volumes: volumes, as module hetzner.hcloud.volume_info returns them.
    :param delete: the names whose deletion the operator confirmed.
    :returns: make and keep (names), change (reasons by name), delete (id, name and what is lost), ids (by name,
        of those that stay), refused (text, empty when the run may continue) and lines (the plan; empty: no change).
    """
    found = {node_of(server): server for server in servers}
    change: dict[str, list[str]] = {}
    doomed: dict[str, str] = {name: "it was removed from the inventory" for name in found if name not in known}
    off: list[str] = []
    for name in sorted(set(wanted) & set(found)):
        if needs := _needs_new_server(wanted[name], found[name]):
            doomed[name] = f"{' and '.join(needs)} needs a new server"
        elif what := _changes(name, wanted[name], found[name]):
            change[name] = what
            if wanted[name]["server_type"] != found[name]["server_type"] and found[name]["status"] != "off":
                off.append(name)
    make = sorted(name for name in wanted if name not in found or name in doomed)
    deleted = [
        {"id": found[name]["id"], "name": name, "lost": _lost(found[name], volumes, why)}
        for name, why in sorted(doomed.items())
    ]
    keep = sorted(name for name in wanted if name in found and name not in {*doomed, *change})
    lines = [f"delete {one['name']}: {one['lost']}" for one in deleted]
    lines += [f"create {name}: {_words(wanted[name])}, {wanted[name]['address']}" for name in make]
    lines += [f"change {name}: {', '.join(what)}" for name, what in sorted(change.items())]
    return {
        "make": make,
        "change": change,
        "keep": keep,
        "delete": deleted,
        "ids": {name: server["id"] for name, server in found.items() if name not in doomed},
        "refused": "\n".join(map(str, [*_unconfirmed(deleted, typed(delete)), *_running(off, wanted, found)])),
        "lines": lines + ([f"keep {', '.join(keep)}"] if keep and lines else []),
    }


def named(things: list[Record], delete: str) -> list[Record]:
    """The servers or volumes whose deletion the operator confirmed."""
    return [one for one in things if node_of(one) in typed(delete)]


def of_fleet(volumes: list[Record], servers: list[Record], labels: dict[str, str]) -> list[Record]:
    """The volumes of a fleet: attached to one of its servers, or with its labels."""
    names = {server["name"] for server in servers}
    return [one for one in volumes if one["server"] in names or carries(one, labels)]


def _needs_new_server(wanted: Record, server: Record) -> list[str]:
    """Differences that a server cannot be changed to; Hetzner does not report the name of a removed image."""
    mine = [net["ip"] for net in server["private_networks_info"] if net["name"] == wanted["network"]]
    pairs = [("location", server["location"], wanted["location"])]
    pairs += [] if wanted["image"].isdigit() else [("image", server["image"], wanted["image"])]
    pairs += [("address", ip, wanted["address"]) for ip in mine]
    return [f"{what} {there} -> {here}" for what, there, here in pairs if there and there != here]


def _changes(name: str, wanted: Record, server: Record) -> list[str]:
    """What to change on a server that stays."""
    found = []
    if server["name"] != name:
        found.append(f"name {server['name']} -> {name}")
    if server["labels"] != wanted["labels"]:
        found.append("labels")
    if server["server_type"] != wanted["server_type"]:
        found.append(f"server type {server['server_type']} -> {wanted['server_type']}")
    if wanted["network"] not in server["private_networks"]:
        found.append(f"attached to network {wanted['network']}")
    if server["status"] == "off":
        found.append("started")
    return found


def _unconfirmed(deleted: list[Record], confirmed: list[str]) -> list[Finding]:
    """Deletions that the operator has not confirmed."""
    step = f"Restore the inventory, or confirm the deletion: -e {VARIABLE}={','.join(one['name'] for one in deleted)}"
    return [
        Finding("error", one["name"], VARIABLE, f"the server would be deleted, because {one['lost']}", step)
        for one in deleted
        if one["name"] not in confirmed
    ]


def _running(names: list[str], wanted: dict[str, Record], found: dict[str, Record]) -> list[Finding]:
    """Servers that must be off before their type can be changed."""
    step = "Drain the node, shut it down, and run again: the run changes the type and starts it."
    types = {name: f"{found[name]['server_type']} -> {wanted[name]['server_type']}" for name in names}
    return [
        Finding("error", name, "machine_hcloud_server_type", f"{change} requires the server to be off", step)
        for name, change in types.items()
    ]


def _lost(server: Record, volumes: list[Record], why: str) -> str:
    """Why a server is deleted, and what is lost and kept."""
    # Release 0.1.0 labelled them "server".
    control_plane = server["labels"].get(f"{LABEL}/role") == ROLES["control_plane"]
    etcd = " and its etcd member" if control_plane else ""
    lost = f"{why}; lost: its disk{etcd} ({_words(server)}, {server['ipv4_address']}, created {server['created'][:10]})"
    mine = [f"{one['name']} ({one['size']} GB)" for one in volumes if one["server"] == server["name"]]
    return lost + (f"; kept, detached: volume {', '.join(mine)}" if mine else "")


def _words(server: Record) -> str:
    return f"{server['server_type']}, {server['image'] or 'unknown image'} at {server['location']}"
