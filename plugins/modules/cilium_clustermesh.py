# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Manage the peers of one cluster in a Cilium Cluster Mesh."""

from __future__ import annotations

DOCUMENTATION = """
module: cilium_clustermesh
short_description: Manage the peers of a cluster in a Cilium Cluster Mesh
description:
  - Manages the entries of peers in the Secrets C(cilium-clustermesh) and C(cilium-kvstoremesh), and their users in the
    ConfigMap C(clustermesh-remote-users). Cilium reloads all three without a restart; after a change its pods are
    annotated, so that they see it within seconds instead of a minute.
  - Changes only this cluster and needs no access to the peers, so that a peer that no longer exists can be removed.
  - The chart must not manage these objects (C(clustermesh.config.enabled=false)).
  - An entry with the wanted meaning is not changed, whoever wrote it. Keys of other managers are kept.
  - Adds a peer to the object that is read last first, and removes it in the opposite order. When a write fails, the
    earlier ones are rolled back.
options:
  name: {description: "Expected name of the cluster, to detect a wrong kubeconfig.", type: str}
  id: {description: Expected id of the cluster., type: int}
  peers:
    description:
      - Peers, each with C(name), C(id), C(endpoint) (C(ips) or C(address), and C(port), 2379 by default)
        and C(enabled) (V(true) by default). Other keys are ignored, so that C(cluster) of
        M(opendata.platform.cilium_clustermesh_info) can be passed.
      - The cluster's own entry is skipped, so that the same list can be used for all clusters.
      - With O(state=absent) only C(name) is required.
    type: list
    elements: dict
    default: []
  state: {description: Whether the peers are connected., type: str, choices: [present, absent], default: present}
  purge: {description: Remove peers that are not in O(peers)., type: bool, default: false}
  allow_empty: {description: Allow O(purge) to remove all peers., type: bool, default: false}
  dial:
    description:
      - V(auto) connects to the address; without an address to the ips, under a name in O(domain).
      - V(aliases) connects to the ips under that name, even if there is an address.
      - V(address) connects to the address, or to each of the ips; the peer's server certificate must contain it.
    type: str
    choices: [auto, aliases, address]
    default: auto
  domain: {description: Domain of the names of peers with ips., type: str, default: mesh.cilium.io}
  allow_restart:
    description:
      - Allow changes of hostAliases, which restart clustermesh-apiserver. Only Cilium before 1.20 needs them, for peers
        with a name in O(domain).
    type: bool
    default: true
  ca_fingerprint:
    description: Fingerprint written into the entries as a comment; a new one makes Cilium reload the CA.
    type: str
    default: ""
  field_manager:
    description: Field manager of the server-side apply, which owns the keys.
    type: str
    default: cilium-clustermesh-ansible
  force_conflicts:
    description: Take over keys that other managers own, instead of failing with the owner's name.
    type: bool
    default: false
  wait: {description: Wait for the rollout of clustermesh-apiserver after a restart., type: bool, default: true}
  wait_timeout: {description: Timeout of the wait in seconds., type: int, default: 300}
  rollback:
    description: Whether a failed write rolls back the earlier ones.
    type: str
    choices: [never, on_write_error]
    default: on_write_error
extends_documentation_fragment: [opendata.platform.cluster, opendata.platform.cluster.cilium]
attributes:
  check_mode: {description: "Sends all writes as dry runs, to detect missing permissions and conflicts.", support: full}
  diff_mode: {description: Shows the content of the entries; they hold no keys., support: full}
"""

EXAMPLES = """
- name: Connect cluster north to its peers
  opendata.platform.cilium_clustermesh:
    kubeconfig: /srv/fleet/.state/kubeconfigs/north
    name: north
    id: 1
    peers:
      - {name: south, id: 2, endpoint: {ips: [192.0.2.10, 192.0.2.11], port: 32379}}
      - {name: west, id: 3, endpoint: {address: mesh.west.example.org}}
    purge: true

- name: Remove a cluster that no longer exists
  opendata.platform.cilium_clustermesh:
    kubeconfig: /srv/fleet/.state/kubeconfigs/north
    peers: [{name: west}]
    state: absent
"""

RETURN = """
peers:
  description: Action on each peer (created, updated, removed, unchanged, self), planned in check mode.
  returned: always
  type: dict
  sample: {south: {action: created, endpoint: ["https://south.mesh.cilium.io:32379"]}}
restarted:
  description: Restarted workloads, planned in check mode.
  returned: always
  type: list
  elements: str
  sample: [Deployment clustermesh-apiserver]
rolled_back: {description: Whether a write failed and the earlier ones were rolled back., returned: always, type: bool}
"""

import re
from datetime import UTC, datetime
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.kubernetes import health
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import Cluster
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.manifests import Manifest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.module import ClusterModule
from ansible_collections.opendata.platform.plugins.module_utils.mesh.chart import CONFIG, DEPLOYMENT, DOMAIN, MANAGER
from ansible_collections.opendata.platform.plugins.module_utils.mesh.peers import entries
from ansible_collections.opendata.platform.plugins.module_utils.mesh.peers import write as peers_write
from ansible_collections.opendata.platform.plugins.module_utils.mesh.peers.plan import (
    EMPTY_PURGE,
    Live,
    Plan,
    Wish,
    plan,
)


def wish(module: ClusterModule, own: str, own_id: int) -> Wish:
    """Return what is asked for; fails with all that is wrong with it."""
    asked = module.params
    absent, peers = asked["state"] == "absent", asked["peers"]
    found = entries.findings(peers, own, own_id, asked["dial"], absent)
    if asked["purge"] and absent:
        found.append("purge requires state=present: list the peers to keep")
    elif asked["purge"] and not peers and not asked["allow_empty"]:
        found.append(EMPTY_PURGE)
    if found:
        module.fail_json(msg=f"These peers cannot be connected: {'; '.join(found)}.", findings=found)
    wanted = [] if absent else entries.wanted(peers, own, asked["dial"], asked["domain"])
    return Wish(
        peers=wanted,
        gone=frozenset(item["name"] for item in peers) - {peer.name for peer in wanted},
        manager=asked["field_manager"],
        fingerprint=asked["ca_fingerprint"],
        force=asked["force_conflicts"],
        **{key: asked[key] for key in ("namespace", "domain", "purge", "allow_empty", "allow_restart")},
    )


def identity(module: ClusterModule, config: Manifest) -> tuple[str, int]:
    """Return name and id of the cluster; fails when it is not the expected one."""
    name, number = config["data"].get("cluster-name", "default"), int(config["data"].get("cluster-id", 0))
    asked = module.params
    other = entries.mismatch(name, number, (asked["name"], asked["id"]), asked["peers"])
    if other:
        found = f"behind context {asked['context'] or 'current'}, found '{name}' (id {number})"
        module.fail_json(msg=f"expected cluster {other} {found}: check kubeconfig {asked['kubeconfig']}.")
    return name, number


def planned(module: ClusterModule) -> None:
    """Say that all peers are to be connected, of a cluster or Cilium that a run would make before."""
    own = module.params["name"] or ""
    peers = wish(module, own, 0).peers
    made = Plan({peer.name: {"action": "created", "endpoint": sorted(peer.urls)} for peer in peers})
    module.exit_json(**{**result(made, own, module.params["peers"]), "changed": bool(peers)})


def live(module: ClusterModule, objects: dict[str, Manifest], own: str, needed: bool) -> Live:
    """Return what the cluster is and has; fails when it must render entries and cannot know how."""
    where = f"in namespace {module.params['namespace']}"
    version = health.image_version(objects.get(peers_write.AGENTS))
    deployment = objects.get(DEPLOYMENT)
    found = []
    if needed and deployment is None:
        if module.check_mode:
            planned(module)
        found.append(f"Deployment {DEPLOYMENT} is missing {where}: set clustermesh.useAPIServer=true first")
    if needed and not re.match(r"\d+\.\d+", version):
        found.append(f"DaemonSet {peers_write.AGENTS} {where} has no image with a version in its tag (v1.20.2)")
    if found:
        module.fail_json(msg=f"Cluster '{own}' cannot be connected yet: {'; '.join(found)}.", findings=found)
    containers = deployment["spec"]["template"]["spec"]["containers"] if deployment else []
    return Live(own, version, any(each["name"] == "kvstoremesh" for each in containers), objects)


def write(module: ClusterModule, cluster: Cluster, objects: dict[str, Manifest], made: Plan) -> None:
    """Send the steps and wait for the rollout; fails with what became of them."""
    asked = module.params
    force, rollback = asked["force_conflicts"], asked["rollback"] == "on_write_error"
    kept = {"check": module.check_mode, "rollback": rollback, "objects": dict(objects)}
    writer = peers_write.Writer(cluster, asked["namespace"], asked["field_manager"], force, **kept)
    try:
        writer.write(made.steps)
    except peers_write.WriteFailed as error:
        module.fail_json(msg=f"{error}.", rolled_back=error.rolled_back)
    if made.steps and not module.check_mode:
        peers_write.nudge(cluster, asked["namespace"], datetime.now(UTC))
    waits = made.restarts and asked["wait"] and not module.check_mode
    if waits and (lack := peers_write.rollout(cluster, asked["namespace"], asked["wait_timeout"])):
        module.fail_json(msg=f"{lack}, after {asked['wait_timeout']} s.", changed=True, rolled_back=False)


def result(made: Plan, own: str, listed: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what Ansible shows."""
    own_entry = {own: {"action": "self", "endpoint": []}} if any(item["name"] == own for item in listed) else {}
    return {
        "changed": bool(made.steps),
        "peers": dict(sorted({**made.actions, **own_entry}.items())),
        "restarted": [f"Deployment {DEPLOYMENT}"] if made.restarts else [],
        "rolled_back": False,
        "diff": made.diff,
    }


def main() -> None:
    """Run the module."""
    module = ClusterModule(
        {
            "namespace": {"type": "str", "default": "kube-system"},
            "name": {"type": "str"},
            "id": {"type": "int"},
            "peers": {"type": "list", "elements": "dict", "default": []},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "purge": {"type": "bool", "default": False},
            "allow_empty": {"type": "bool", "default": False},
            "dial": {"type": "str", "choices": ["auto", "aliases", "address"], "default": "auto"},
            "domain": {"type": "str", "default": DOMAIN},
            "allow_restart": {"type": "bool", "default": True},
            "ca_fingerprint": {"type": "str", "default": ""},
            "field_manager": {"type": "str", "default": MANAGER},
            "force_conflicts": {"type": "bool", "default": False},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 300},
            "rollback": {"type": "str", "choices": ["never", "on_write_error"], "default": "on_write_error"},
        },
    )
    asked = module.params
    if module.planned:
        planned(module)
    cluster = module.connect()
    with module.reporting_api():
        objects = peers_write.read(cluster, asked["namespace"])
    if CONFIG not in objects:
        if module.check_mode:
            planned(module)
        where = f"in namespace {asked['namespace']} of {cluster.host}"
        module.fail_json(msg=f"ConfigMap {CONFIG} is missing {where}: install Cilium first.")
    own, number = identity(module, objects[CONFIG])
    wanted = wish(module, own, number)
    made = plan(live(module, objects, own, bool(wanted.peers)), wanted, datetime.now(UTC))
    if made.refusals:
        module.fail_json(msg=f"Cluster '{own}' stays as it is: {'; '.join(made.refusals)}.", findings=made.refusals)
    write(module, cluster, objects, made)
    for warning in [*made.warnings, *sorted(set(cluster.warnings))]:
        module.warn(warning)
    module.exit_json(**result(made, own, asked["peers"]))


if __name__ == "__main__":
    main()
