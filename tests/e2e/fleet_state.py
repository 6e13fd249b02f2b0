# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The end state of a fleet in comparable form: objects without status, files and units of the machines."""

import json
from typing import Any

# Kinds whose existence or names are the controllers' own doing at run time, never ours.
TRANSIENT = {
    "Event", "Lease", "Pod", "ReplicaSet", "ControllerRevision", "EndpointSlice", "Endpoints", "CiliumEndpoint",
    "CiliumIdentity", "CertificateSigningRequest", "PodMetrics", "NodeMetrics", "ComponentStatus", "CiliumNode",
    "IPAddress",
}  # fmt: skip
METADATA = {"uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "selfLink"}
# Written by controllers from the moment or from the machine, not from what we declared.
LABELS = {"modifiedAt"}
ANNOTATIONS = {"deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation"}

FILES = r"""
find /etc /usr/local /opt/cni /var/lib/kubelet -xdev -type f \
  ! -path '/etc/kubernetes/pki/*' ! -name '*.conf' ! -path '/var/lib/kubelet/*/*' ! -name '*_state' \
  ! -path '/etc/ssh/*' ! -name machine-id ! -name '*-' \
  ! -path '/etc/kubernetes/tmp/*' ! -name encryption.yaml -exec sha256sum {} + | sort -k2
find /etc/kubernetes /etc/containerd -type f ! -path '/etc/kubernetes/tmp/*' -printf '%m %u %p\n' | sort -k3
"""
UNITS = """
systemctl list-unit-files --no-legend --state=enabled,masked | sort
systemctl list-units --no-legend --plain --all containerd.service kubelet.service
"""


def objects(cluster: Any, name: str) -> dict[str, Any]:
    """All declared objects of a cluster by `Kind/namespace/name`, without what the server or controllers add."""
    found: dict[str, Any] = {}
    resources = cluster.kubectl(name, "api-resources", "--verbs=list", "-o", "name").split()
    listed = json.loads(
        cluster.kubectl(name, "get", ",".join(resources), "-A", "-o", "json", "--show-managed-fields=false")
    )
    for item in listed["items"]:
        if item["kind"] in TRANSIENT:
            continue
        found[f"{item['kind']}/{item['metadata'].get('namespace', '')}/{item['metadata']['name']}"] = declared(item)
    return {key: value for key, value in found.items() if not key.startswith("Secret/kube-system/bootstrap-token-")}


def declared(item: dict[str, Any]) -> dict[str, Any]:
    """One object without status and server-side metadata; of a Secret only the keys."""
    kept = {key: value for key, value in item.items() if key != "status"}
    metadata = {key: value for key, value in item["metadata"].items() if key not in METADATA}
    metadata["labels"] = {k: v for k, v in metadata.get("labels", {}).items() if k not in LABELS}
    metadata["ownerReferences"] = [{**owner, "uid": ""} for owner in metadata.get("ownerReferences", [])]
    metadata["annotations"] = {k: v for k, v in metadata.get("annotations", {}).items() if k not in ANNOTATIONS}
    kept["metadata"] = metadata
    if item["kind"] == "Secret":
        kept["data"] = sorted(item.get("data", {}))
    if item["kind"] == "Service" and item["spec"]["type"] == "NodePort":
        # The API server drew it; the other Services have the one that kubeadm counted out.
        kept["spec"] = {key: value for key, value in item["spec"].items() if key not in ("clusterIP", "clusterIPs")}
    if item["metadata"]["name"] in {"kube-root-ca.crt", "extension-apiserver-authentication", "cluster-info"}:
        # Certificates differ from cluster to cluster, signatures end with the token that made them.
        kept["data"] = sorted(key for key in item.get("data", {}) if not key.startswith("jws-kubeconfig-"))
    return kept


def snapshot(fleet: Any) -> dict[str, Any]:
    """Everything compared: `{"objects north": {...}, "files north-1": {...}, "units north-1": {...}}`."""
    state: dict[str, Any] = {}
    for cluster in fleet.inventory["clusters"]["hosts"]:
        state[f"objects {cluster}"] = objects(fleet, cluster)
    for node in fleet.inventory["nodes"]["hosts"]:
        lines = fleet.ssh(node, FILES).splitlines()
        state[f"files {node}"] = {line.split(None, 1)[1]: line.split(None, 1)[0] for line in lines}
        state[f"units {node}"] = dict.fromkeys(fleet.ssh(node, UNITS).splitlines(), "")
    return state


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Each difference as one line: section, key, and both values when both have one."""
    found = []
    for section in sorted(one.keys() | other.keys()):
        left, right = one.get(section, {}), other.get(section, {})
        for key in sorted(left.keys() | right.keys()):
            if left.get(key) != right.get(key):
                found.append(f"{section}: {key}: {left.get(key, 'absent')} != {right.get(key, 'absent')}")
    return found


def same(before: dict[str, Any], fleet: Any) -> bool:
    """Whether a fleet is as it was; prints each difference."""
    found = differences(before, snapshot(fleet))
    print("\n".join(line[:800] for line in found))
    return not found
