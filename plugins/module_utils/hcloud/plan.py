# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What a run will do to the machines at Hetzner Cloud, and what it will not. Pure."""

from __future__ import annotations

from typing import Any

from .resources import LABEL, carries

VARIABLE = "machine_hcloud_delete"
Record = dict[str, Any]


def typed(text: str) -> list[str]:
    """The names in what a person typed, "north-3, data" -> ["north-3", "data"]."""
    return [word for word in str(text).replace(",", " ").split() if word]


def node_of(server: Record) -> str:
    """The node that a server is, by its label, for its name may be altered by hand; another thing's own name."""
    return server["labels"].get(f"{LABEL}/node", server["name"])


def plan(
    wanted: dict[str, Record], known: list[str], servers: list[Record], volumes: list[Record], delete: str
) -> dict[str, Any]:
    """Compare the inventory with what is there.

    :param wanted: by node name its server_type, image, location, address, network (a name) and labels.
    :param known: every node of Hetzner Cloud in the inventory, also those that this run is not for.
    :param servers: what module hetzner.hcloud.server_info says of the fleet's machines.
    :param volumes: what module hetzner.hcloud.volume_info says.
    :param delete: the names that a person typed.
    :returns: make and keep (names), change (reasons by name), delete (id, name and what is lost), ids (by name, of what
        stays), refused (text, empty when the run may go on) and lines (the plan for a person; empty without a change).
    """
    found = {node_of(server): server for server in servers}
    change: dict[str, list[str]] = {}
    doomed: dict[str, str] = {name: "left the inventory" for name in found if name not in known}
    off: list[str] = []
    for name in sorted(set(wanted) & set(found)):
        anew = _anew(wanted[name], found[name])
        if anew:
            doomed[name] = f"{' and '.join(anew)} needs a new server"
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
    lines += [f"make {name}: {_words(wanted[name])}, {wanted[name]['address']}" for name in make]
    lines += [f"change {name}: {', '.join(what)}" for name, what in sorted(change.items())]
    return {
        "make": make,
        "change": change,
        "keep": keep,
        "delete": deleted,
        "ids": {name: server["id"] for name, server in found.items() if name not in doomed},
        "refused": "\n".join([*_refused(deleted, typed(delete)), *_running(off, wanted, found)]),
        "lines": lines + ([f"keep {', '.join(keep)}"] if keep and lines else []),
    }


def named(things: list[Record], delete: str) -> list[Record]:
    """Of these servers or volumes those whose names a person typed."""
    return [one for one in things if node_of(one) in typed(delete)]


def of_fleet(volumes: list[Record], servers: list[Record], labels: dict[str, str]) -> list[Record]:
    """The volumes of a fleet: attached to one of its servers, or with its labels."""
    names = {server["name"] for server in servers}
    return [one for one in volumes if one["server"] in names or carries(one, labels)]


def _anew(wanted: Record, server: Record) -> list[str]:
    """What cannot be changed on a server; the name of an image that Hetzner removed is not known any more."""
    mine = [net["ip"] for net in server["private_networks_info"] if net["name"] == wanted["network"]]
    pairs = [("location", server["location"], wanted["location"])]
    pairs += [] if wanted["image"].isdigit() else [("image", server["image"], wanted["image"])]
    pairs += [("address", ip, wanted["address"]) for ip in mine]
    return [f"{what} {there} -> {here}" for what, there, here in pairs if there and there != here]


def _changes(name: str, wanted: Record, server: Record) -> list[str]:
    """What is changed on a server that stays."""
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


def _refused(deleted: list[Record], names: list[str]) -> list[str]:
    """Why the run may not delete."""
    missing = [one for one in deleted if one["name"] not in names]
    if not missing:
        return []
    count = "1 machine" if len(missing) == 1 else f"{len(missing)} machines"
    every = ",".join(one["name"] for one in deleted)
    lines = [f"{one['name']}: {one['lost']}" for one in missing]
    return [
        f"This run would delete {count} at Hetzner Cloud, nothing was changed:",
        *lines,
        f"Put back what the inventory said, or type what may be deleted: -e {VARIABLE}={every}",
    ]


def _running(names: list[str], wanted: dict[str, Record], found: dict[str, Record]) -> list[str]:
    """Which machines must be off before their type can be changed."""
    return [
        f"{name}: server type {found[name]['server_type']} -> {wanted[name]['server_type']} needs the machine off. "
        "Drain it, shut it down, and run again: the run changes the type and starts it."
        for name in names
    ]


def _lost(server: Record, volumes: list[Record], why: str) -> str:
    """What goes with a server, and what does not."""
    role = server["labels"].get(f"{LABEL}/role")
    etcd = ", its member of etcd" if role == "server" else ""
    lost = f"{why}. Lost: its disk{etcd} ({_words(server)}, {server['ipv4_address']}, made {server['created'][:10]})."
    mine = [f"{one['name']} ({one['size']} GB)" for one in volumes if one["server"] == server["name"]]
    return lost + (f" Kept, attached to nothing: volume {', '.join(mine)}." if mine else "")


def _words(server: Record) -> str:
    return f"{server['server_type']}, {server['image'] or 'unknown image'} at {server['location']}"
