# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Manage a node of a kubeadm cluster."""

from __future__ import annotations

DOCUMENTATION = """
module: kubeadm_node
short_description: Manage a node of a kubeadm cluster
description:
  - Writes files and starts units as module M(opendata.platform.node_files) does, then inspects what kubeadm did.
  - Runs kubeadm only if needed, and records its success, so that the next run continues after a killed one.
  - Waits for a kubeadm that is left over from an earlier run.
options:
  state:
    description:
      - V(gathered) only inspects the machine.
      - V(initialized) initializes the first control plane node of a cluster. Existing etcd data are kept.
      - V(joined) joins a control plane node or a worker. An interrupted join is continued, or reset first.
      - V(applied) restores modified manifests of the control plane, and regenerates them if their files have changed.
      - V(upgraded) upgrades the control plane (on workers the kubelet's configuration) to O(version), by the installed
        kubeadm. The kubelet itself is not changed.
      - V(renewed) renews the certificates if one expires within O(renew_before_days), and restarts the control plane.
      - V(absent) resets the machine with kubeadm reset.
    type: str
    choices: [gathered, initialized, joined, applied, upgraded, renewed, absent]
    default: gathered
  control_plane: {description: Whether the machine is a control plane node., type: bool, default: false}
  config:
    description: File with InitConfiguration and ClusterConfiguration.
    type: path
    default: /etc/kubernetes/kubeadm.yaml
  start_files:
    description: Files that the API server reads only at its start; O(state=applied) restarts it when they change.
    type: list
    elements: path
    default: []
  join_config:
    description: Text of a JoinConfiguration. It is stored in memory, and only while kubeadm runs.
    type: str
  address:
    description: Address of the API server on this machine. O(state=applied) and O(state=renewed) wait for it.
    type: str
  first:
    description: Whether to also update the cluster's configuration (O(state=applied)) or version (O(state=upgraded)).
    type: bool
    default: false
  version: {description: "Target version of O(state=upgraded), such as v1.36.3.", type: str}
  renew_before_days:
    description: Days before expiry from which O(state=renewed) renews certificates.
    type: int
    default: 30
  ignore_preflight_errors:
    description: Errors of kubeadm's preflight checks that O(state=upgraded) ignores.
    type: list
    elements: str
    default: []
  dns_replicas: {description: Number of CoreDNS replicas after O(state=initialized)., type: int, default: 2}
  planned:
    description: The machine does not exist yet; nothing is inspected, and all files and units are reported as changes.
    type: bool
    default: false
attributes:
  check_mode: {description: Reports what would be done., support: full}
  diff_mode: {description: "Shows the actions, and manifests and files as text; secrets by digest.", support: full}
extends_documentation_fragment: [opendata.platform.node_files]
author: Open Data Platform contributors (@opendata)
"""

EXAMPLES = """
- name: Initialize the control plane
  opendata.platform.kubeadm_node:
    state: initialized
    control_plane: true
"""

RETURN = """
state:
  description: State of kubeadm on the machine. C(done), C(interrupted) or C(absent).
  returned: always
  type: str
applied: {description: Whether manifests and configuration are as last applied., returned: always, type: bool}
certificates: {description: Full days until expiry by path of the certificate., returned: always, type: dict}
credentials:
  description: Digest of the administrator's credentials; empty if there are none.
  returned: always
  type: str
"""

from pathlib import Path
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.kubeadm import cli as client
from ansible_collections.opendata.platform.plugins.module_utils.kubeadm import state as pure
from ansible_collections.opendata.platform.plugins.module_utils.module import Module
from ansible_collections.opendata.platform.plugins.module_utils.node import converge, file_io, systemd

Params = dict[str, Any]

STATES = ["gathered", "initialized", "joined", "applied", "upgraded", "renewed", "absent"]

JOIN_CONFIG = "/run/opendata/join.yaml"


def due(params: Params, found: pure.Found) -> list[str]:
    """The actions that are needed, as the diff shows them."""
    done = pure.state(found) == pure.DONE
    if params["state"] == "initialized" and not done:
        return ["kubeadm init"]
    if params["state"] == "joined" and not done:
        return ["kubeadm join"]
    if params["state"] == "applied" and done:
        words = [f"put back manifest {name}" for name in pure.altered_manifests(found)]
        return words + [f"apply {path}" for path in pure.changed_files(found)]
    if params["state"] == "upgraded" and done and (found.record or {}).get("version") != params["version"]:
        return [f"kubeadm upgrade {'apply' if params['first'] else 'node'} {params['version']}"]
    if params["state"] == "renewed" and done:
        return [f"renew {path}" for path in ending(params)] or client.restarts_due()
    if params["state"] == "absent" and pure.state(found) != pure.ABSENT:
        return ["kubeadm reset"]
    return []


def files(params: Params) -> list[str]:
    """Files that the control plane is generated from or reads at its start; a worker has none."""
    return [params["config"], *params["start_files"]] if params["control_plane"] else []


def tolerating(found: pure.Found) -> list[str]:
    """The flag that lets kubeadm continue with etcd data and other leftovers of its interrupted run."""
    return ["--ignore-preflight-errors=" + ",".join(pure.own_leftovers())] if found.etcd else []


def initialise(params: Params, found: pure.Found, lock: int) -> None:
    """Initialize the first control plane node, or continue an interrupted init."""
    if pure.must_reset(found, control_plane=True):
        client.run(lock, "kubeadm", "reset", "--force")
    client.run(lock, "kubeadm", "init", "--skip-token-print", f"--config={params['config']}", *tolerating(found))
    scale = ["-n", "kube-system", "scale", "deployment/coredns", f"--replicas={params['dns_replicas']}"]
    client.run(lock, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", *scale)


def join(params: Params, found: pure.Found, lock: int) -> None:
    """Join the cluster; a join that was interrupted before it had etcd data is reset first."""
    if pure.is_complete(found, params["control_plane"]):
        return
    if pure.must_reset(found, params["control_plane"]):
        client.run(lock, "kubeadm", "reset", "--force")
    path = str(client.at(JOIN_CONFIG))
    try:
        file_io.write(path, params["join_config"], 0o600)
        client.run(lock, "kubeadm", "join", f"--config={path}", *tolerating(found))
    finally:
        Path(path).unlink(missing_ok=True)


def apply(params: Params, found: pure.Found, lock: int) -> None:
    """Restore modified manifests; regenerate them if the configuration has changed."""
    for name, text in pure.altered_manifests(found).items():
        file_io.write(str(client.at(f"/etc/kubernetes/manifests/{name}.yaml")), text, 0o600)
    changed, config = pure.changed_files(found), f"--config={params['config']}"
    if changed:
        client.run(lock, "kubeadm", "init", "phase", "control-plane", "all", config)
    before = (found.record or {}).get("manifests", {}).get("kube-apiserver")
    if set(changed) & set(params["start_files"]) and client.inspect([]).manifests.get("kube-apiserver") == before:
        client.restart("kube-apiserver")
    if params["address"]:
        client.wait_ready(params["address"])
    if changed and params["first"]:
        client.run(lock, "kubeadm", "init", "phase", "upload-config", "all", config)


def ending(params: Params) -> list[str]:
    """Certificates that expire too soon; the kubelet renews its own."""
    days = client.certificate_days()
    return [path for path, left in days.items() if "kubelet" not in path and left < params["renew_before_days"]]


def upgrade(params: Params, found: pure.Found, lock: int) -> None:
    """Upgrade to the version of the installed kubeadm. It writes new manifests; the files behind them stay."""
    target = ["apply", params["version"], "--yes"] if params["first"] else ["node"]
    ignored = ",".join(params["ignore_preflight_errors"])
    client.run(lock, "kubeadm", "upgrade", *target, *([f"--ignore-preflight-errors={ignored}"] if ignored else []))


def renew(params: Params, found: pure.Found, lock: int) -> None:
    """Renew the certificates of kubeadm, and restart the control plane."""
    client.record_restarts()
    client.run(lock, "kubeadm", "certs", "renew", "all", f"--config={params['config']}")
    client.restart(*pure.MANIFESTS)
    if params["address"]:
        client.wait_ready(params["address"])
    client.clear_restarts()


def carry_out(params: Params, found: pure.Found, lock: int) -> None:
    """Carry out the actions, then record their success."""
    if params["state"] == "absent":
        client.run(lock, "kubeadm", "reset", "--force")
        file_io.remove(str(client.at(client.RECORD)))
        return
    actions = {"initialized": initialise, "joined": join, "applied": apply, "upgraded": upgrade, "renewed": renew}
    actions[params["state"]](params, found, lock)
    applied = params["state"] not in ("upgraded", "renewed")
    client.record_success(files(params) if applied else (found.record or {}).get("files", {}), lock)


def main() -> None:
    """Entry point of the module."""
    module = Module(
        {
            **converge.OPTIONS,
            "state": {"type": "str", "choices": STATES, "default": "gathered"},
            "control_plane": {"type": "bool", "default": False},
            "config": {"type": "path", "default": "/etc/kubernetes/kubeadm.yaml"},
            "start_files": {"type": "list", "elements": "path", "default": []},
            "join_config": {"type": "str", "no_log": True},
            "address": {"type": "str"},
            "first": {"type": "bool", "default": False},
            "version": {"type": "str"},
            "renew_before_days": {"type": "int", "default": 30},
            "ignore_preflight_errors": {"type": "list", "elements": "str", "default": []},
            "dns_replicas": {"type": "int", "default": 2},
        },
        required_if=[("state", "joined", ("join_config",)), ("state", "upgraded", ("version",))],
    )
    params = module.params
    with module.reporting(client.KubeadmError, file_io.NodeFileError, systemd.UnitError):
        written = converge.converge(module)
        lock = 0 if params["planned"] else client.lock()
        found = pure.Found() if params["planned"] else client.inspect(files(params))
        now, actions = found, due(params, found)
        if actions and not (module.check_mode or params["planned"]):
            carry_out(params, found, lock)
            now = client.inspect(files(params))
        certificates = {} if params["planned"] else client.certificate_days()
        credentials = "" if params["planned"] else client.credentials()
    diff = written["diff"] + [
        {"before_header": f"manifest {name}", "before": found.manifests.get(name, ""), "after": text}
        for name, text in pure.altered_manifests(found).items()
        if actions
    ]
    diff += [{"before": "", "after": f"{action}\n"} for action in actions]
    module.exit_json(
        changed=bool(actions) or written["changed"],
        diff=diff,
        state=pure.state(now),
        applied=not pure.altered_manifests(now) and not pure.changed_files(now),
        certificates=certificates,
        credentials=credentials,
    )


if __name__ == "__main__":
    main()
