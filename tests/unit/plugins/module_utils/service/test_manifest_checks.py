# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Each fault of rendered manifests is told in these words; the same scans read a whole tree."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.service import manifest_checks

from service_examples import CONTEXT, NOTEBOOK, case, findings, manifests, notebook

Pod = dict[str, Any]
WHERE = "(notebook.yml.j2 of role notebook)"
HOST = "Remove it, or set pod_security: privileged."


def pod(manifests: list[dict[str, Any]]) -> Pod:
    return next(each for each in manifests if each["kind"] == "Deployment")["spec"]["template"]["spec"]


def told(change: Callable[[Pod, Pod], Any], **release: Any) -> list[str]:
    """Findings of the notebook after a change of its pod and its container."""
    objects = list(yaml.safe_load_all(NOTEBOOK))
    change(pod(objects), pod(objects)["containers"][0])
    return findings([notebook(yaml.safe_dump_all(objects), **release)], CONTEXT)


def line(problem: str, step: str) -> str:
    return f"notebook: Deployment notebook: {problem} {WHERE}. {step}"


IMAGE = "Set a digest or an exact tag, such as {{ service.images['name'] }}."
ROOT = "Set securityContext.runAsNonRoot: true and a runAsUser, or pod_security: baseline where it needs root."
CAPABILITIES = "Set securityContext.capabilities: {drop: [ALL]}."
LIMIT = "Set resources.limits.memory: one leak could exhaust the node."
REQUESTS = "Set resources.requests, so that nodes are not overcommitted."
OF_CONTAINERS: dict[str, tuple[Callable[[Pod, Pod], Any], str, str]] = {
    "no tag": (
        lambda pod, one: one.update(image="example.org:5000/notebook"),
        "has an image that is not pinned: 'example.org:5000/notebook'",
        IMAGE,
    ),
    "latest": (
        lambda pod, one: one.update(image="notebook:latest"),
        "has an image that is not pinned: 'notebook:latest'",
        IMAGE,
    ),
    "no image": (lambda pod, one: one.pop("image"), "has an image that is not pinned: ''", IMAGE),
    "no limit": (lambda pod, one: one["resources"].pop("limits"), "has no memory limit", LIMIT),
    "no requests": (
        lambda pod, one: one["resources"].pop("requests"),
        "requests no cpu and no memory",
        REQUESTS,
    ),
    "no request of memory": (
        lambda pod, one: one["resources"]["requests"].pop("memory"),
        "requests no memory",
        REQUESTS,
    ),
    "maybe root": (lambda pod, one: pod["securityContext"].pop("runAsNonRoot"), "may run as root", ROOT),
    "root": (lambda pod, one: one["securityContext"].update(runAsUser=0), "may run as root", ROOT),
    "escalation": (
        lambda pod, one: one["securityContext"].pop("allowPrivilegeEscalation"),
        "may escalate privileges",
        "Set securityContext.allowPrivilegeEscalation: false.",
    ),
    "capabilities kept": (
        lambda pod, one: one["securityContext"].pop("capabilities"),
        "does not drop all capabilities",
        CAPABILITIES,
    ),
    "capability added": (
        lambda pod, one: one["securityContext"]["capabilities"].update(add=["SYS_ADMIN"]),
        "does not drop all capabilities",
        CAPABILITIES,
    ),
    "no seccomp": (
        lambda pod, one: pod["securityContext"].pop("seccompProfile"),
        "has no seccomp profile",
        "Set securityContext.seccompProfile: {type: RuntimeDefault}.",
    ),
}
OF_HOSTS: dict[str, tuple[Callable[[Pod, Pod], Any], str]] = {
    "network": (lambda pod, one: pod.update(hostNetwork=True), "its pods set hostNetwork"),
    "processes": (lambda pod, one: pod.update(hostPID=True), "its pods set hostPID"),
    "memory": (lambda pod, one: pod.update(hostIPC=True), "its pods set hostIPC"),
    "path": (
        lambda pod, one: pod.update(volumes=[{"name": "etc", "hostPath": {"path": "/etc"}}]),
        "volume 'etc' mounts host path /etc",
    ),
    "privileged": (
        lambda pod, one: one["securityContext"].update(privileged=True),
        "container 'notebook' is privileged",
    ),
    "port": (
        lambda pod, one: one.update(ports=[{"containerPort": 80, "hostPort": 80}]),
        "container 'notebook' uses a host port",
    ),
}
ALLOWED_BY_BASELINE = ("maybe root", "root", "escalation", "capabilities kept", "capability added", "no seccomp")


@pytest.mark.parametrize("name", OF_CONTAINERS)
def test_fault_of_a_container(name: str) -> None:
    change, problem, step = OF_CONTAINERS[name]
    assert told(change) == [line(f"container 'notebook' {problem}", step)]
    assert bool(told(change, pod_security="baseline")) is (name not in ALLOWED_BY_BASELINE)


@pytest.mark.parametrize("name", OF_CONTAINERS)
def test_init_containers_too(name: str) -> None:
    change, problem, step = OF_CONTAINERS[name]

    def move(pod: Pod, one: Pod) -> None:
        first = copy.deepcopy(one)
        first["name"] = "first"
        pod["initContainers"] = [first]
        change(pod, first)

    assert line(f"container 'first' {problem}", step) in told(move)


@pytest.mark.parametrize("name", OF_HOSTS)
def test_what_reaches_the_node(name: str) -> None:
    change, problem = OF_HOSTS[name]
    assert told(change) == told(change, pod_security="baseline") == [line(problem, HOST)]
    assert told(change, pod_security="privileged") == []


def test_an_image_by_digest_needs_no_tag() -> None:
    assert told(lambda pod, one: one.update(image=f"example.org/notebook@sha256:{'a' * 64}")) == []


@pytest.mark.parametrize("kind", ["Pod", "Job", "CronJob", "StatefulSet", "DaemonSet"])
def test_pods_of_every_kind(kind: str) -> None:
    spec: dict[str, Any] = {"containers": [{"name": "x", "image": "x"}]}
    if kind != "Pod":
        spec = {"template": {"spec": spec}}
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": spec}}
    manifest = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}, "spec": spec}
    [found] = [
        str(each)
        for each in manifest_checks.objects("notebook", "notebook", "privileged", [manifest], "here")
        if "pinned" in str(each)
    ]
    assert found == f"notebook: {kind} x: container 'x' has an image that is not pinned: 'x' (here). {IMAGE}"


OBJECT = "An object has apiVersion, kind and metadata.name, and is listed once."
TEXTS = {
    "no YAML": (
        "a: [",
        "notebook: does not render valid YAML: while parsing a flow node did not find expected node content in",
    ),
    "nothing": ("# nothing\n", f"notebook: renders no objects {WHERE}. Fix the template."),
    "no object": ("- 1\n", f"notebook: manifest 1 is no mapping but list {WHERE}. {OBJECT}"),
    "no kind": (
        "{apiVersion: v1, metadata: {name: x}}",
        f"notebook: manifest 1 (no kind x) has no kind {WHERE}. {OBJECT}",
    ),
    "twice": (
        "{apiVersion: v1, kind: X, metadata: {name: x}}\n---\n{apiVersion: v1, kind: X, metadata: {name: x}}",
        f"notebook: manifest 2 (X x) is listed twice: remove one {WHERE}. {OBJECT}",
    ),
    "Secret": (
        "{apiVersion: v1, kind: Secret, metadata: {name: x}, stringData: {key: very-secret}}",
        f"notebook: Secret x: holds its data in plain text {WHERE}. "
        "Describe it under service_release.secrets: those values never enter the tree.",
    ),
    "elsewhere": (
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: kube-system}}",
        f"notebook: ConfigMap kube-system/x: is in namespace kube-system {WHERE}. "
        "Remove metadata.namespace: a service has objects in its own namespace notebook only.",
    ),
    "foreign Job": (
        "{apiVersion: batch/v1, kind: Job, metadata: {name: other-database, namespace: postgres}}",
        f"notebook: Job postgres/other-database: is in namespace postgres {WHERE}. "
        "Remove metadata.namespace: a service has objects in its own namespace notebook only.",
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_fault_of_what_a_template_renders(name: str) -> None:
    text, expected = TEXTS[name]
    [found] = findings([notebook(text, route=None)], CONTEXT)
    assert found.startswith(expected)
    assert "very-secret" not in found


def test_what_the_cluster_owns_has_no_namespace() -> None:
    role = "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: x}}"
    made = manifests([notebook(role, route=None)], CONTEXT)
    last = list(yaml.safe_load_all(made["files"]["services/notebook/manifests.yaml"]))[-1]
    assert last["metadata"] == {"name": "x"}


def test_texts_that_look_like_numbers_elsewhere_are_quoted() -> None:
    words = ["1e3", "0o17", "12", "y", "1.5", "plain"]
    rendered = yaml.safe_dump({"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "words": words})
    text = manifests([notebook(rendered, route=None)], CONTEXT)["files"]["services/notebook/manifests.yaml"]
    assert text.endswith("words:\n- '1e3'\n- '0o17'\n- '12'\n- 'y'\n- '1.5'\n- plain\n")


def test_a_tree_is_scanned_from_its_text_alone() -> None:
    files = manifests(*case("local"))["files"]
    path = "services/notebook/manifests.yaml"
    files[path] = files[path].replace("image: example.org/notebook:1.2.3", "image: example.org/notebook")
    problem = "container 'notebook' has an image that is not pinned: 'example.org/notebook'"
    assert [str(found) for found in manifest_checks.tree(files)] == [
        f"notebook: Deployment notebook/notebook: {problem} ({path}). {IMAGE}"
    ]


def test_a_part_of_a_tree_that_this_role_did_not_make_is_no_service() -> None:
    text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}"
    assert [
        str(found) for found in manifest_checks.tree({"services/x/manifests.yaml": text, "platform/x.yaml": "["})
    ] == ["x: has no Namespace (services/x/manifests.yaml). Render the tree with role service."]
