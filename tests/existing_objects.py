# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Objects of existing clusters, in the shapes that kubelets, clouds and helm write."""

import base64
import gzip
import json
from typing import Any

Object = dict[str, Any]
NO_CNI = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized"
)


def node(name: str = "a", ready: bool = True, cidr: str = "", **more: Any) -> Object:
    """A node of a cloud; one that is not ready has no network plugin."""
    condition = {"type": "Ready", "status": str(ready), "reason": "x", "message": "" if ready else NO_CNI}
    info = {"kernelVersion": "6.1.0-1-amd64", "osImage": "Debian GNU/Linux 12 (bookworm)", "operatingSystem": "linux"}
    return {
        "metadata": {"name": name, "labels": more.get("labels", {})},
        "spec": {"podCIDR": cidr, "podCIDRs": [cidr]} if cidr else {},
        "status": {
            "addresses": [{"type": "InternalIP", "address": more.get("address", "192.0.2.11")}],
            "conditions": [condition, *more.get("conditions", ())],
            "nodeInfo": {**info, **more.get("info", {})},
        },
    }


def daemon_set(
    name: str, namespace: str = "kube-system", image: str = "example.org/agent:v1.20.2", **more: Any
) -> Object:
    """A DaemonSet, the parts that are read."""
    labels = {"app": name}
    pod = {"containers": [{"name": "agent", "image": image}]}
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": more.get("labels", {}),
            "annotations": more.get("annotations", {}),
        },
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }


def cilium(release: str = "cilium", namespace: str = "kube-system", version: str = "1.20.1", **more: Any) -> Object:
    """DaemonSet cilium as helm applied it; without a release as another tool did."""
    marks = {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace} if release else {}
    labels = {"k8s-app": "cilium", **more.get("labels", {})}
    return daemon_set("cilium", namespace, f"quay.io/cilium/cilium:v{version}", labels=labels, annotations=marks)


def revision(name: str, number: int, status: str, version: str, config: Object, defaults: Object) -> Object:
    """The Secret that helm writes of one revision: base64 of gzip of JSON, and base64 of the API around it."""
    chart = {"metadata": {"name": "cilium", "version": version}, "values": defaults}
    content = {"name": name, "info": {"status": status}, "chart": chart, "config": config, "manifest": ""}
    packed = base64.b64encode(gzip.compress(json.dumps(content).encode()))
    labels = {"owner": "helm", "name": name, "version": str(number), "status": status}
    return {
        "metadata": {"name": f"sh.helm.release.v1.{name}.v{number}", "namespace": "kube-system", "labels": labels},
        "type": "helm.sh/release.v1",
        "data": {"release": base64.b64encode(packed).decode()},
    }
