# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Manage a node of a k3s cluster."""

from __future__ import annotations

DOCUMENTATION = """
module: k3s_node
short_description: Manage a node of a k3s cluster
description:
  - Starts k3s only where that creates no second cluster, and waits until it is ready.
  - A run continues what a killed run left unfinished.
options:
  state:
    description:
      - V(gathered) only inspects the machine.
      - V(started) starts the unit. A machine without data joins O(join), or creates the cluster if that is empty.
      - V(restarted) restarts the unit, for example to run a new binary.
      - V(stopped) stops the unit.
      - V(emptied) stops the unit and removes the server's database, so that it can join again.
      - V(restored) stops the unit and restores the database from O(snapshot), with this server as its only member.
      - V(absent) stops k3s, ends its containers and mounts, and removes its files.
    type: str
    choices: [gathered, started, restarted, stopped, emptied, restored, absent]
    default: gathered
  server:
    description: Whether the machine is a server, that is a control plane node, or an agent.
    type: bool
    default: false
  name: {description: Name of the machine's Node., type: str}
  url:
    description: URL of the cluster's endpoint, which the configuration names once the machine is in the cluster.
    type: str
  join:
    description: URL of the server that a machine without data joins; empty for the first server of a cluster.
    type: str
    default: ""
  token: {description: Token of the cluster., type: str}
  snapshot: {description: Path of the snapshot on this machine for O(state=restored)., type: path}
  wait:
    description: Whether O(state=started) waits for the API server. Servers that need each other start without waiting.
    type: bool
    default: true
  planned: {description: The machine does not exist yet; nothing is inspected., type: bool, default: false}
attributes:
  check_mode: {description: Reports what would be done., support: full}
  diff_mode: {description: Shows the actions., support: full}
author: Open Data Platform contributors (@opendata)
"""

EXAMPLES = """
- name: Start the first server
  opendata.platform.k3s_node:
    state: started
    server: true
    name: north-1
    url: https://api.example.org:6443
    token: "{{ token }}"
"""

RETURN = """
state:
  description: C(running), C(stopped) (in a cluster, but k3s is down or its unit is disabled) or C(absent).
  returned: always
  type: str
named: {description: Whether the machine's configuration names O(url)., returned: always, type: bool}
version: {description: Version of the binary; empty if there is none., returned: always, type: str}
ca:
  description: sha256 of the CA of the cluster that the machine is in; empty if it is in none.
  returned: always
  type: str
same_token:
  description: Whether the token on the machine is O(token), or there is none.
  returned: always
  type: bool
credentials:
  description: Digest of the administrator's credentials; empty if there are none.
  returned: always
  type: str
"""

import contextlib
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.k3s import cli as client
from ansible_collections.opendata.platform.plugins.module_utils.k3s import cluster as cluster_client
from ansible_collections.opendata.platform.plugins.module_utils.k3s import state as pure
from ansible_collections.opendata.platform.plugins.module_utils.module import Module
from ansible_collections.opendata.platform.plugins.module_utils.node import file_io, systemd

Params = dict[str, Any]

STATES = ["gathered", "started", "restarted", "stopped", "emptied", "restored", "absent"]

NEEDS_NAME = [("state", state, ("name", "url", "token")) for state in ("started", "restarted")]


def due(params: Params, found: pure.Found) -> list[str]:
    """The actions that are needed, as the diff shows them."""
    state, unit, part = params["state"], pure.unit(params["server"]), pure.cluster_part(params["url"] or "")
    if state == "started" and not found.data:
        return [f"join {params['join']}" if params["join"] else "create the cluster"]
    if state == "started":
        words = [] if found.part == part else [f"name {params['url']} in {client.CLUSTER_PART}"]
        return words + ([] if pure.state(found) == pure.RUNNING else [f"start {unit}"])
    if state in ("stopped", "emptied"):
        words = [f"stop {unit}"] if found.active else []
        return words + ([f"remove {client.DATABASE}"] if state == "emptied" and found.data else [])
    return {
        "restarted": [f"restart {unit}"],
        "restored": [f"restore {params['snapshot']}"],
        "absent": [f"remove {path}" for path in client.present(params["server"])],
    }.get(state, [])


def name_cluster(url: str) -> None:
    """Configure which cluster k3s joins when it has no data."""
    file_io.write(str(client.at(client.CLUSTER_PART)), pure.cluster_part(url), 0o600)


def start(params: Params, found: pure.Found) -> None:
    """Start the unit; it joins, creates the cluster, or continues with its data."""
    unit = pure.unit(params["server"])
    if not found.data:
        if params["join"] and (refusal := cluster_client.joining_refusal(params["join"], params["token"])):
            raise client.K3sError(f"{params['name']} cannot join: {refusal}")
        name_cluster(params["join"])
    elif found.part != pure.cluster_part(params["url"]):
        name_cluster(params["url"])
        # A server with data ignores it; an agent finds its servers by it.
        if not params["server"]:
            systemd.systemctl("stop", unit)
    systemd.systemctl("daemon-reload")
    systemd.systemctl("enable", unit)
    systemd.systemctl("start", "--no-block", unit)
    if params["wait"]:
        client.ready(params["server"], params["name"])
        name_cluster(params["url"])


def restore(params: Params) -> None:
    """Restore the database from a snapshot; k3s refuses that while its configuration names a server."""
    name_cluster("")
    flags = ["--cluster-reset", f"--cluster-reset-restore-path={params['snapshot']}", "--etcd-s3=false"]
    client.run("server", *flags)
    name_cluster(params["url"])


def carry_out(params: Params, found: pure.Found) -> None:
    """Carry out the actions."""
    state, unit = params["state"], pure.unit(params["server"])
    if state == "started":
        start(params, found)
        return
    if state == "restarted":
        systemd.systemctl("restart", unit)
        client.ready(params["server"], params["name"])
        return
    if found.active:
        systemd.systemctl("stop", unit)
    if state == "emptied":
        client.remove(client.DATABASE)
    elif state == "restored":
        restore(params)
    elif state == "absent":
        if found.enabled:
            systemd.systemctl("disable", unit)
        client.end_containers()
        for path in client.present(params["server"]):
            client.remove(path)
        systemd.systemctl("daemon-reload")


def identity(params: Params, found: pure.Found) -> dict[str, object]:
    """Version, cluster and token of this machine's k3s; placeholders for a planned machine."""
    if params["planned"]:
        return {"version": "", "ca": "", "same_token": True, "credentials": ""}
    token = (params["token"] or "").strip()
    return {
        "version": client.version(),
        "ca": client.authority(params["server"]) if found.data else "",
        "same_token": not token or client.text(client.TOKEN).strip() in ("", token),
        "credentials": client.credentials(),
    }


def main() -> None:
    """Entry point of the module."""
    module = Module(
        {
            "state": {"type": "str", "choices": STATES, "default": "gathered"},
            "server": {"type": "bool", "default": False},
            "name": {"type": "str"},
            "url": {"type": "str"},
            "join": {"type": "str", "default": ""},
            "token": {"type": "str", "no_log": True},
            "snapshot": {"type": "path"},
            "wait": {"type": "bool", "default": True},
            "planned": {"type": "bool", "default": False},
        },
        required_if=[*NEEDS_NAME, ("state", "restored", ("snapshot", "url"))],
    )
    params = module.params
    with (
        module.reporting(client.K3sError, file_io.NodeFileError, systemd.UnitError),
        contextlib.nullcontext() if params["planned"] else client.lock(),
    ):
        found = pure.Found() if params["planned"] else client.inspect(params["server"])
        now, actions = found, due(params, found)
        if actions and not (module.check_mode or params["planned"]):
            carry_out(params, found)
            now = client.inspect(params["server"])
        known = identity(params, now)
    diff = [{"before": "", "after": f"{action}\n"} for action in actions]
    named = now.part == pure.cluster_part(params["url"] or "")
    module.exit_json(changed=bool(actions), diff=diff, state=pure.state(now), named=named, **known)


if __name__ == "__main__":
    main()
