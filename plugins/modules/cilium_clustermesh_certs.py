# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Manage the certificates of one cluster in a Cilium Cluster Mesh."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cilium_clustermesh_certs
short_description: Manage the certificates of a cluster in a Cilium Cluster Mesh
version_added: 0.1.0
description:
  - Issues the certificates of clustermesh-apiserver, of KVStoreMesh and of the agents, before or after Cilium is
    installed. A certificate is reissued only if it is missing, was not signed by O(ca_cert), does not match its key,
    names or purpose, or expires soon. A second run writes nothing.
  - Restarts clustermesh-apiserver when the trusted CAs changed, because etcd reads them only when it starts; never for
    a renewed certificate. Annotates the pods of Cilium, so that they mount new certificates within seconds.
  - Fails if Helm, cert-manager or another controller manages the same objects.
options:
  name:
    description:
      - Name of the cluster; the module fails if ConfigMap cilium-config contains another one.
      - Required for O(mode=leafs) while that ConfigMap does not exist.
    type: str
  mode:
    description:
      - V(leafs) issues the four certificates where the module runs, so that the key of the CA never enters a cluster.
        The chart needs C(clustermesh.apiserver.tls.auto.enabled=false).
      - V(shared_ca) writes Secret cilium-ca with the key, owned by Helm; the chart or its CronJob issues the
        certificates.
      - V(bundle) writes only the trusted CAs, to ConfigMap cilium-root-ca.crt (C(tls.caBundle.enabled), Cilium 1.18.5).
    type: str
    choices: [leafs, shared_ca, bundle]
    default: leafs
  ca_cert: {description: "Certificate of the CA that signs, PEM.", type: str, default: ""}
  ca_key:
    description:
      - Private key of O(ca_cert), PEM without passphrase. May be empty in check mode (the CA does not exist yet).
    type: str
    default: ""
  ca_bundle: {description: "Certificates of all trusted CAs, PEM; O(ca_cert) if omitted.", type: str, default: ""}
  release_name: {description: "Helm release of Cilium, for O(mode=shared_ca).", type: str, default: cilium}
  auth_mode:
    description:
      - How this cluster authenticates to its peers (C(clustermesh.apiserver.tls.authMode)); V(cluster) uses its own
        name.
      - V(auto) keeps the mode of the present certificate; V(migration) if there is none.
    type: str
    choices: [auto, legacy, migration, cluster]
    default: auto
  server_sans:
    description: Additional DNS names and IP addresses at which peers connect to this cluster.
    type: list
    elements: str
    default: []
  validity_days:
    description: Validity of a new certificate in days, at most until its CA expires.
    type: int
    default: 365
  renew_before_days: {description: Renew certificates that expire in fewer days., type: int, default: 60}
  remote_users:
    description:
      - Names of the peers that may connect, for ConfigMap clustermesh-remote-users; other entries are kept.
      - clustermesh-apiserver does not start without this ConfigMap unless authMode is legacy; V([]) creates an empty
        one.
    type: list
    elements: str
  restart:
    description: Whether to restart clustermesh-apiserver when the trusted CAs changed.
    type: str
    choices: [auto, never]
    default: auto
  wait_timeout: {description: Seconds to wait for the restart., type: int, default: 300}
  force_reissue: {description: Reissue all certificates., type: bool, default: false}
extends_documentation_fragment: [opendata.platform.cluster, opendata.platform.cluster.cilium]
attributes:
  check_mode: {description: "Reports which certificates would be issued, and why.", support: full}
  diff_mode:
    description: Shows CN, names, expiry and sha256 of certificates and the sha256 of trusted CAs; never a key.
    support: full
requirements: [cryptography]
"""

EXAMPLES = r"""
- name: Issue the certificates of cluster north before Cilium is installed
  opendata.platform.cilium_clustermesh_certs:
    kubeconfig: /srv/fleet/.state/kubeconfigs/north
    name: north
    ca_cert: "{{ mesh_ca.ca_cert }}"
    ca_key: "{{ lookup('ansible.builtin.file', '/srv/fleet/.state/mesh/ca.key') }}"
    ca_bundle: "{{ mesh_ca.bundle }}"
    server_sans: [mesh.north.example.org]
    remote_users: [south]
"""

RETURN = r"""
leafs:
  description: Action, reasons and content of each certificate; empty unless O(mode=leafs).
  returned: always
  type: dict
  sample:
    server:
      action: issued
      reasons: [expires in 12 days]
      cn: clustermesh-apiserver.kube-system.svc
      sans: ["*.mesh.cilium.io", 127.0.0.1]
      not_after: "2027-11-24T00:00:00Z"
      days_left: 364
      sha256: 6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d
objects:
  description: Action on each object, planned in check mode.
  returned: always
  type: list
  elements: dict
  sample: [{object: Secret kube-system/clustermesh-apiserver-server-cert, action: issued}]
ca_fingerprints: {description: "The sha256 of the trusted CAs, sorted.", returned: always, type: list, elements: str}
restarted: {description: "Whether clustermesh-apiserver was restarted, or would be.", returned: always, type: bool}
"""

from datetime import UTC, datetime
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.manifests import Manifest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.module import ClusterModule
from ansible_collections.opendata.platform.plugins.module_utils.mesh.chart import USERS
from ansible_collections.opendata.platform.plugins.module_utils.mesh.peers.write import nudge
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki import certificates as certs
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki import secrets as trust
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki.certificates import Pair
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki.leaf_certificates import (
    authority_findings,
    leafs,
    name_findings,
    remote_cn,
)
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki.secrets_client import NotRolledOut, Trust

OPTIONS = {
    "namespace": {"type": "str", "default": "kube-system"},
    "name": {"type": "str"},
    "mode": {"type": "str", "choices": ["leafs", "shared_ca", "bundle"], "default": "leafs"},
    "ca_cert": {"type": "str", "default": ""},
    "ca_key": {"type": "str", "default": "", "no_log": True},
    "ca_bundle": {"type": "str", "default": ""},
    "release_name": {"type": "str", "default": "cilium"},
    "auth_mode": {"type": "str", "choices": ["auto", "legacy", "migration", "cluster"], "default": "auto"},
    "server_sans": {"type": "list", "elements": "str", "default": []},
    "validity_days": {"type": "int", "default": 365},
    "renew_before_days": {"type": "int", "default": 60},
    "remote_users": {"type": "list", "elements": "str"},
    "restart": {"type": "str", "choices": ["auto", "never"], "default": "auto"},
    "wait_timeout": {"type": "int", "default": 300},
    "force_reissue": {"type": "bool", "default": False},
}


def option_findings(wish: dict[str, Any], check: bool, now: datetime) -> list[str]:
    """Return what is wrong with the options alone."""
    found = name_findings(wish["server_sans"])
    if wish["renew_before_days"] >= wish["validity_days"]:
        limits = f"renew_before_days ({wish['renew_before_days']}) is not below validity_days ({wish['validity_days']})"
        found.append(f"{limits}: every run would reissue all certificates")
    if wish["mode"] != "bundle":
        pair = Pair(wish["ca_cert"], wish["ca_key"])
        return found + authority_findings(pair, wish["ca_bundle"] or wish["ca_cert"], now, check)
    return found if trust.trusted(wish["ca_bundle"]) else [*found, "ca_bundle is no PEM text of certificates"]


def cluster_name(module: ClusterModule, config: Manifest | None) -> str:
    """Return the name of the cluster; fails when it is another one than asked for, or not known yet."""
    asked, data = module.params["name"], (config or {}).get("data") or {}
    found, where = data.get("cluster-name", ""), module.params["context"] or "(current)"
    if asked and found and asked != found:
        text = f"expected cluster '{asked}' behind context {where}, found '{found}' (id {data.get('cluster-id', 0)})"
        module.fail_json(msg=f"{text}; check kubeconfig {module.params['kubeconfig']}. Nothing was written.")
    if not asked and not found and module.params["mode"] == "leafs":
        text = f"ConfigMap cilium-config in {module.params['namespace']} behind context {where} does not exist yet"
        module.fail_json(msg=f"{text}, so the name of the cluster is unknown: set name.")
    return str(asked or found)


def steps(module: ClusterModule, name: str, live: dict[str, Manifest | None], now: datetime) -> list[trust.Step]:
    """Return what is to be done, in order; the first of several is the one that holds the mark for the restart."""
    wish, deployment = module.params, live.get("deployment")
    pair = Pair(wish["ca_cert"], wish["ca_key"])
    bundle = certs.pem(certs.certificates(wish["ca_bundle"] or wish["ca_cert"]))
    if wish["mode"] == "bundle":
        found = [trust.bundle_step(wish["namespace"], live.get("bundle"), bundle, deployment)]
    elif wish["mode"] == "shared_ca":
        found = [trust.authority_step(wish["namespace"], live.get("authority"), pair, wish["release_name"])]
    else:
        remote = remote_cn(name, wish["auth_mode"], trust.pair_of(live.get("remote")))
        wanted = trust.Wish(
            wish["namespace"],
            leafs(name, wish["namespace"], remote, wish["server_sans"]),
            pair,
            bundle,
            wish["validity_days"],
            wish["renew_before_days"],
            wish["force_reissue"],
            module.check_mode,
        )
        found = trust.leaf_steps(wanted, live, deployment, now)
    if wish["remote_users"] is not None:
        peers = [peer for peer in wish["remote_users"] if peer != name]
        found.append(trust.users_step(wish["namespace"], live.get("users"), peers))
    return found


def main() -> None:
    """Run the module."""
    module = ClusterModule(OPTIONS)
    wish, now = module.params, datetime.now(UTC)
    module.refuse(option_findings(wish, module.check_mode, now))
    with module.reporting_api(NotRolledOut, ValueError):
        client = None if module.planned else Trust(module.connect(), wish["namespace"])
        live = client.read(wish["mode"]) if client else {}
        name = cluster_name(module, live.get("config"))
        wanted = steps(module, name, live, now)
        due = [step for step in wanted if step.action != "unchanged"]
        module.refuse(trust.refusals(live, any(step.name.endswith(f"/{USERS}") for step in due)))
        mark = next((step.mark for step in wanted if step.mark), "")
        restart = trust.restart_due(mark, live.get("deployment"))
        if client and not module.check_mode:
            for manifest in [step.manifest for step in due if step.manifest]:
                client.write(manifest)
            if due:
                nudge(client.cluster, wish["namespace"], now)
            if restart and wish["restart"] == "auto":
                client.restart(mark, wish["wait_timeout"])
    if restart and wish["restart"] == "never":
        module.warn("clustermesh-apiserver does not trust the new CAs before its restart (restart=never).")
    restarted = restart and wish["restart"] == "auto"
    module.exit_json(
        changed=bool(due) or restarted,
        leafs={
            step.role: {"action": step.action, "reasons": step.reasons, **step.after} for step in wanted if step.role
        },
        objects=[{"object": step.name, "action": step.action} for step in wanted],
        ca_fingerprints=trust.trusted(wish["ca_bundle"] or wish["ca_cert"]),
        restarted=restarted,
        diff=[step.diff() for step in due],
    )


if __name__ == "__main__":
    main()
