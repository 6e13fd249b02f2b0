# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Manage kind clusters."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kind_cluster
short_description: Manage kind clusters
version_added: 0.1.0
description:
  - Runs on the controller, next to the container engine. Neither Linux nor root is needed.
  - The config that a cluster was created with is stored as a file in its node containers, written last. It can be read
    while they are stopped, and a cluster without it was interrupted. kind cannot set labels for that.
  - When the config was changed, the module fails and lists what recreating the cluster would delete, unless
    O(recreate=true).
  - A stopped cluster is started. One whose creation was interrupted is recreated.
  - A cluster of the same name on another network of the engine is not the fleet's and is never changed.
options:
  name:
    description: Name of the cluster, also of its context, cluster and user in O(kubeconfig).
    type: str
    required: true
  state:
    description: Whether the cluster runs, is deleted with all its data, or is only inspected.
    type: str
    choices: [present, absent, gathered]
    default: present
  config: {description: The cluster as kind's V(kind.x-k8s.io/v1alpha4). Required with O(state=present)., type: dict}
  kubeconfig:
    description: Where to write the administrator's kubeconfig, mode 0600. C(~/.kube/config) is not changed.
    type: path
    required: true
  kind: {description: Path of the kind binary. Required with O(state=present)., type: path}
  engine: {description: The container engine., type: str, choices: [docker, podman], default: docker}
  network:
    description: Network of the engine for the nodes. kind creates it; it is removed with the last container.
    type: str
    required: true
  files:
    description: Files to keep on every node. Other files are not changed.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Absolute path., type: path, required: true}
      content: {description: Text of the file., type: str, required: true}
  recreate:
    description: Recreate a cluster whose config was changed or whose nodes are missing. All its data is deleted.
    type: bool
    default: false
  wait: {description: Seconds to wait for the API server of a started cluster., type: int, default: 120}
attributes:
  check_mode: {description: "Reports what would be done, and fails where a run would.", support: full}
  diff_mode: {description: "Shows the config, the actions, and files. Credentials are not shown.", support: full}
author: Open Data Platform contributors (@opendata)
"""

EXAMPLES = r"""
- name: Create the kind cluster dev
  opendata.platform.kind_cluster:
    name: dev
    kind: /usr/local/bin/kind
    network: odp-dev
    kubeconfig: /srv/fleet/.state/kubeconfigs/dev
    config:
      apiVersion: kind.x-k8s.io/v1alpha4
      kind: Cluster
      networking: {disableDefaultCNI: true, kubeProxyMode: none}
"""

RETURN = r"""
state:
  description: State before the run. C(absent), C(running), C(stopped), C(interrupted), C(damaged) or C(foreign).
  returned: always
  type: str
nodes: {description: Names of the cluster's containers., returned: always, type: list, elements: str}
actions: {description: "What was done, or would be in check mode.", returned: always, type: list, elements: str}
"""

import contextlib
from pathlib import Path

from ansible_collections.opendata.platform.plugins.module_utils.container_engine.cli import Engine, EngineError
from ansible_collections.opendata.platform.plugins.module_utils.findings import Finding
from ansible_collections.opendata.platform.plugins.module_utils.kind import config as pure
from ansible_collections.opendata.platform.plugins.module_utils.kind import preflight
from ansible_collections.opendata.platform.plugins.module_utils.kind.cli import Kind, KindError, locked
from ansible_collections.opendata.platform.plugins.module_utils.module import Module, difference
from ansible_collections.opendata.platform.plugins.module_utils.node import file_io


class Run:
    """One run of the module over one cluster."""

    def __init__(self, module: Module) -> None:
        """Inspect the cluster."""
        self.module, self.params = module, module.params
        self.kind = Kind(Engine(self.params["engine"]), self.params["name"], self.params["network"])
        self.config = pure.text(self.params["config"] or {})
        self.files = {each["path"]: each["content"] for each in self.params["files"]}
        self.found = self.kind.inspect()
        self.state = pure.state(self.found, self.params["network"])
        self.actions: list[str] = []
        self.diff: list[dict[str, str]] = []

    def act(self, words: str) -> bool:
        """Record an action; whether to carry it out."""
        self.actions.append(words)
        self.diff.append({"before": "", "after": f"{words}\n"})
        return not self.module.check_mode

    def present(self, lock: int) -> None:
        """Create, recreate or start the cluster, then its nodes' files and its kubeconfig."""
        if self.state == pure.FOREIGN:
            self.refuse(preflight.foreign(self.params["engine"], self.params["name"], self.found))
        recreate = self.why_recreate()
        if recreate and self.act(f"delete the cluster: {recreate}"):
            self.kind.delete(self.found)
        if (self.state == pure.ABSENT or recreate) and self.act("create the cluster"):
            self.kind.create(self.params["kind"], self.config, lock)
        if self.state == pure.STOPPED and not recreate and self.act("start the cluster"):
            self.kind.start(self.found)
        if self.actions and not self.module.check_mode:
            self.found = self.kind.inspect()
            self.kind.wait(self.found, self.params["wait"])
        if not (self.actions and self.module.check_mode):
            self.complete()

    def why_recreate(self) -> str:
        """Why the cluster must be recreated; fails where that would delete data without consent."""
        before = self.found.config()
        keys = pure.changed_keys(before, self.params["config"]) if before else []
        if self.state == pure.ABSENT or keys:
            header = f"kind config of {self.params['name']}"
            self.diff.append(difference(header, self.found.record, self.config))
        reason = pure.why_recreate(self.state, keys)
        if reason and self.state != pure.INTERRUPTED and not self.params["recreate"]:
            lost = pure.loss(self.found, self.kind.volumes(self.found))
            name, damaged = self.params["name"], self.state == pure.DAMAGED
            self.refuse(preflight.damaged(name, self.found, lost) if damaged else preflight.changed(name, keys, lost))
        return reason

    def complete(self) -> None:
        """Write files of the nodes and the kubeconfig where they differ."""
        for name, gap in self.kind.differing(self.found, self.files).items():
            for path, text in gap.items():
                self.diff.append(difference(f"{name}:{path}", text, self.files[path]))
            self.actions.append(f"write {', '.join(sorted(gap))} of {name}")
            if not self.module.check_mode:
                self.kind.engine.write_files(name, {path: self.files[path] for path in gap})
        path = self.params["kubeconfig"]
        wanted = pure.kubeconfig(self.kind.kubeconfig(self.params["kind"]), self.params["name"])
        found = file_io.find(path, with_text=True)
        if (found.text, found.mode) != (wanted, 0o600) and self.act(f"write {path}"):
            file_io.write(path, wanted, 0o600)

    def absent(self) -> None:
        """Delete the cluster and its kubeconfig; warn of a cluster that is not the fleet's."""
        if self.state == pure.FOREIGN:
            self.module.warn(str(preflight.foreign(self.params["engine"], self.params["name"], self.found)))
        elif self.state != pure.ABSENT and self.act("delete the cluster"):
            self.kind.delete(self.found)
        if Path(self.params["kubeconfig"]).exists() and self.act(f"remove {self.params['kubeconfig']}"):
            Path(self.params["kubeconfig"]).unlink()
        if not self.module.check_mode:
            self.kind.engine.remove_network(self.params["network"])

    def refuse(self, finding: Finding) -> None:
        """Fail before anything is changed."""
        self.module.fail_json(msg=str(finding), diff=self.diff, **self.answer())

    def answer(self) -> dict[str, object]:
        """Return values besides the diff."""
        return {"state": self.state, "nodes": [each.name for each in self.found.nodes], "actions": self.actions}


def main() -> None:
    """Entry point of the module."""
    file = {"path": {"type": "path", "required": True}, "content": {"type": "str", "required": True}}
    module = Module(
        {
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent", "gathered"], "default": "present"},
            "config": {"type": "dict"},
            "kubeconfig": {"type": "path", "required": True},
            "kind": {"type": "path"},
            "engine": {"type": "str", "choices": ["docker", "podman"], "default": "docker"},
            "network": {"type": "str", "required": True},
            "files": {"type": "list", "elements": "dict", "options": file, "default": []},
            "recreate": {"type": "bool", "default": False},
            "wait": {"type": "int", "default": 120},
        },
        libraries=("yaml",),
        required_if=[("state", "present", ("config", "kind"))],
    )
    state, path = module.params["state"], Path(f"{module.params['kubeconfig']}.lock")
    # Without the lock's directory no run of kind can be left over.
    writes = not module.check_mode and (state == "present" or (state == "absent" and path.parent.exists()))
    with (
        module.reporting(KindError, file_io.NodeFileError, OSError),
        module.reporting(EngineError, before=f"{module.params['name']}: {module.params['engine']} says: "),
        locked(path) if writes else contextlib.nullcontext(-1) as lock,
    ):
        run = Run(module)
        if state == "present":
            run.present(lock)
        elif state == "absent":
            run.absent()
    module.exit_json(changed=bool(run.actions), diff=run.diff, **run.answer())


if __name__ == "__main__":
    main()
