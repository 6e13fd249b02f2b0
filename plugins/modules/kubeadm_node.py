# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A machine as server or agent of a cluster, by kubeadm."""

from __future__ import annotations

DOCUMENTATION = """
module: kubeadm_node
short_description: A machine as server or agent of a cluster, by kubeadm
description:
  - Runs kubeadm only if it is due, and notes its success, so that a run that was killed is taken up by the next.
  - Waits for a kubeadm that an earlier run left behind.
options:
  state:
    description:
      - V(looked) only looks.
      - V(initialised) makes the first server of a cluster. Data of etcd that exist are kept.
      - V(joined) joins a server or an agent. A join that was interrupted is gone on with, or reset first.
      - V(applied) puts altered manifests of the control plane back, and makes them anew if their files have changed.
      - V(upgraded) brings the control plane (of an agent its kubelet's configuration) to O(version), by the kubeadm
        that is installed; the kubelet itself is not touched.
      - V(renewed) renews the certificates if one ends in fewer than O(renew_before_days), and restarts what reads them.
      - V(absent) takes the machine out, with kubeadm reset.
    type: str
    choices: [looked, initialised, joined, applied, upgraded, renewed, absent]
    default: looked
  server:
    description: Whether the machine is a server.
    type: bool
    default: false
  config:
    description: File with InitConfiguration and ClusterConfiguration.
    type: path
    default: /etc/kubernetes/kubeadm.yaml
  start_files:
    description: Files that the API server reads at its start only; a change is applied by V(applied).
    type: list
    elements: path
    default: []
  join_config:
    description: Text of a JoinConfiguration; it is kept in memory only while kubeadm runs.
    type: str
  address:
    description: Address of the API server on this machine; waited for by V(applied).
    type: str
  first:
    description: Also write the configuration into the cluster by V(applied), and the version by V(upgraded).
    type: bool
    default: false
  version:
    description: Version that V(upgraded) goes to, such as v1.36.3.
    type: str
  renew_before_days:
    description: Days that every certificate must have left after V(renewed).
    type: int
    default: 30
  ignore_preflight_errors:
    description: Findings of kubeadm's own preflight that V(upgraded) goes on with.
    type: list
    elements: str
    default: []
  dns_replicas:
    description: Number of CoreDNS pods after V(initialised).
    type: int
    default: 2
  planned:
    description: The machine does not exist yet; nothing is looked at.
    type: bool
    default: false
attributes:
  check_mode:
    description: Reports what would be done.
    support: full
  diff_mode:
    description: Shows what would be done in words, and manifests as text.
    support: full
author: Open Data Platform contributors
"""

EXAMPLES = """
- name: Control plane exists
  opendata.platform.kubeadm_node:
    state: initialised
    server: true
"""

RETURN = """
state:
  description: What was found. C(done), C(half) (interrupted) or C(absent).
  returned: always
  type: str
applied:
  description: Whether manifests and configuration are as applied last.
  returned: always
  type: bool
certificates:
  description: Whole days left by path of the certificate.
  returned: always
  type: dict
credentials:
  description: Digest of the administrator's credentials; empty where there are none.
  returned: always
  type: str
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.opendata.platform.plugins.module_utils.kubeadm import cli as client
from ansible_collections.opendata.platform.plugins.module_utils.kubeadm import state as pure
from ansible_collections.opendata.platform.plugins.module_utils.node import file_io as files_client

JOIN_CONFIG = "/run/opendata/join.yaml"


def due(params: dict, found: pure.Found) -> list[str]:
    """What must be done, in words that the diff shows."""
    done = pure.state(found) == pure.DONE
    if params["state"] == "initialised" and not done:
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


def files(params: dict) -> list[str]:
    """Files that the control plane is made from and reads at its start; an agent has none."""
    return [params["config"], *params["start_files"]] if params["server"] else []


def tolerating(found: pure.Found) -> list[str]:
    """The flag that lets kubeadm go on from data of etcd, with what else it left."""
    return ["--ignore-preflight-errors=" + ",".join(pure.own_leftovers())] if found.etcd else []


def initialise(params: dict, found: pure.Found, lock: int) -> None:
    """Make the first server, from nothing or from where an interrupted init was."""
    if pure.must_reset(found, server=True):
        client.run(lock, "kubeadm", "reset", "--force")
    client.run(lock, "kubeadm", "init", "--skip-token-print", f"--config={params['config']}", *tolerating(found))
    scale = ["-n", "kube-system", "scale", "deployment/coredns", f"--replicas={params['dns_replicas']}"]
    client.run(lock, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", *scale)


def join(params: dict, found: pure.Found, lock: int) -> None:
    """Join, after the reset of a join that was interrupted before it had data of etcd."""
    if pure.is_complete(found, params["server"]):
        return
    if pure.must_reset(found, params["server"]):
        client.run(lock, "kubeadm", "reset", "--force")
    path = str(client.at(JOIN_CONFIG))
    try:
        files_client.write(path, params["join_config"], 0o600)
        client.run(lock, "kubeadm", "join", f"--config={path}", *tolerating(found))
    finally:
        Path(path).unlink(missing_ok=True)


def apply(params: dict, found: pure.Found, lock: int) -> None:
    """Put manifests back; write them anew if the configuration has changed."""
    for name, text in pure.altered_manifests(found).items():
        files_client.write(str(client.at(f"/etc/kubernetes/manifests/{name}.yaml")), text, 0o600)
    changed, config = pure.changed_files(found), f"--config={params['config']}"
    if changed:
        client.run(lock, "kubeadm", "init", "phase", "control-plane", "all", config)
    before = (found.record or {}).get("manifests", {}).get("kube-apiserver")
    if set(changed) & set(params["start_files"]) and client.look([]).manifests.get("kube-apiserver") == before:
        client.restart("kube-apiserver")
    if params["address"]:
        client.wait_ready(params["address"])
    if changed and params["first"]:
        client.run(lock, "kubeadm", "init", "phase", "upload-config", "all", config)


def ending(params: dict) -> list[str]:
    """Certificates that end too soon; the kubelet renews its own."""
    days = client.certificate_days()
    return [path for path, left in days.items() if "kubelet" not in path and left < params["renew_before_days"]]


def upgrade(params: dict, found: pure.Found, lock: int) -> None:
    """Go to the version of the kubeadm that is installed. The manifests are new ones, their files are the same."""
    target = ["apply", params["version"], "--yes"] if params["first"] else ["node"]
    ignored = ",".join(params["ignore_preflight_errors"])
    client.run(lock, "kubeadm", "upgrade", *target, *([f"--ignore-preflight-errors={ignored}"] if ignored else []))


def renew(params: dict, found: pure.Found, lock: int) -> None:
    """Renew what kubeadm made, and start what reads it anew."""
    client.note_restarts()
    client.run(lock, "kubeadm", "certs", "renew", "all", f"--config={params['config']}")
    client.restart(*pure.MANIFESTS)
    if params["address"]:
        client.wait_ready(params["address"])
    client.forget_restarts()


def carry_out(params: dict, found: pure.Found, lock: int) -> None:
    """Do what is due, then note the success."""
    if params["state"] == "absent":
        client.run(lock, "kubeadm", "reset", "--force")
        files_client.remove(str(client.at(client.RECORD)))
        return
    actions = {"initialised": initialise, "joined": join, "applied": apply, "upgraded": upgrade, "renewed": renew}
    actions[params["state"]](params, found, lock)
    applied = params["state"] not in ("upgraded", "renewed")
    client.note(files(params) if applied else (found.record or {}).get("files", {}), lock)


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {
                "type": "str",
                "choices": ["looked", "initialised", "joined", "applied", "upgraded", "renewed", "absent"],
                "default": "looked",
            },
            "server": {"type": "bool", "default": False},
            "config": {"type": "path", "default": "/etc/kubernetes/kubeadm.yaml"},
            "start_files": {"type": "list", "elements": "path", "default": []},
            "join_config": {"type": "str", "no_log": True},
            "address": {"type": "str"},
            "first": {"type": "bool", "default": False},
            "version": {"type": "str"},
            "renew_before_days": {"type": "int", "default": 30},
            "ignore_preflight_errors": {"type": "list", "elements": "str", "default": []},
            "dns_replicas": {"type": "int", "default": 2},
            "planned": {"type": "bool", "default": False},
        },
        required_if=[("state", "joined", ("join_config",)), ("state", "upgraded", ("version",))],
        supports_check_mode=True,
    )
    params = module.params
    try:
        lock = 0 if params["planned"] else client.lock()
        found = pure.Found() if params["planned"] else client.look(files(params))
        now, actions = found, due(params, found)
        if actions and not (module.check_mode or params["planned"]):
            carry_out(params, found, lock)
            now = client.look(files(params))
        certificates = {} if params["planned"] else client.certificate_days()
        credentials = "" if params["planned"] else client.credentials()
    except (client.KubeadmError, files_client.NodeFileError) as error:
        module.fail_json(msg=str(error))
    diff = [
        {"before_header": f"manifest {name}", "before": found.manifests.get(name, ""), "after": text}
        for name, text in pure.altered_manifests(found).items()
        if actions
    ]
    diff += [{"before": "", "after": f"{action}\n"} for action in actions]
    module.exit_json(
        changed=bool(actions),
        diff=diff,
        state=pure.state(now),
        applied=not pure.altered_manifests(now) and not pure.changed_files(now),
        certificates=certificates,
        credentials=credentials,
    )


if __name__ == "__main__":
    main()
