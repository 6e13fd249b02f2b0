# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Run a check command in a pod and read its results."""

from __future__ import annotations

DOCUMENTATION = """
module: pod_checks
short_description: Run a check command in a pod and read its results
description:
  - Runs the command in the first ready pod that the selector matches, like C(kubectl exec).
  - The last line of its output must be a JSON object with C(ok) and C(checks).
  - Fails when a check is not ok, and reports what was expected and found.
options:
  namespace: {description: Namespace of the pod., type: str, required: true}
  selector: {description: Label selector of the pod., type: str, required: true}
  container: {description: Container to run the command in., type: str, required: true}
  command: {description: Program and arguments., type: list, elements: str, required: true}
  wait_timeout:
    description: Seconds to wait for a ready pod, and for output of the command.
    type: int
    default: 900
extends_documentation_fragment: [opendata.platform.cluster]
attributes:
  check_mode: {description: Runs nothing., support: full}
  diff_mode: {description: Does not change anything itself., support: none}
requirements: [websocket-client]
"""

EXAMPLES = """
- name: Verify the numbers of the data path
  opendata.platform.pod_checks:
    kubeconfig: /srv/fleet/.state/kubeconfigs/north
    namespace: dagster
    selector: app.kubernetes.io/name=dagster-code
    container: main
    command: [python3, -m, trips.verify, --json]
"""

RETURN = """
checks:
  description: The checks of the command, in its order. Empty in check mode.
  returned: always
  type: list
  elements: dict
  sample: [{name: raw rows, ok: true, expected: 1000, found: 1000, seconds: 0.1}]
"""

import json
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.kubernetes import health
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.exec import ExecError, Pods
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.module import ClusterModule


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether a command can run in the pod."""
    running = (pod.get("status") or {}).get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
    return running and not health.pod(pod)


def ready_pod(module: ClusterModule) -> str:
    """Return the name of the first ready pod; fails with why there is none."""
    wanted, cluster = module.params, module.connect()
    path = f"/api/v1/namespaces/{wanted['namespace']}/pods"
    selector, seconds = wanted["selector"], wanted["wait_timeout"]
    _well, pods = cluster.wait(path, lambda items: any(map(is_ready, items)), seconds, labelSelector=selector)
    ready = sorted(pod["metadata"]["name"] for pod in pods if is_ready(pod))
    if not ready:
        why = "; ".join(filter(None, map(health.pod, pods))) or "there is none"
        where = f"{selector} in namespace {wanted['namespace']}"
        module.fail_json(msg=f"No pod {where} is ready after {seconds} s: {why}.", checks=[])
    return str(ready[0])


def read(text: str) -> list[dict[str, Any]]:
    """Return the checks of the last line; ValueError when it holds none."""
    answer = json.loads(text.strip().rpartition("\n")[2])
    checks: Any = answer.get("checks") if isinstance(answer, dict) else None
    if not isinstance(checks, list):
        raise ValueError("no object with checks")
    return checks


def main() -> None:
    """Run the module."""
    module = ClusterModule(
        {
            "namespace": {"required": True},
            "selector": {"required": True},
            "container": {"required": True},
            "command": {"type": "list", "elements": "str", "required": True},
            "wait_timeout": {"type": "int", "default": 900},
        },
    )
    if module.check_mode:
        module.exit_json(checks=[])
    wanted = module.params
    with module.reporting_api(ExecError, checks=[]):
        pod = ready_pod(module)
        pods = Pods(wanted["kubeconfig"], wanted["context"])
        answer = pods.run(wanted["namespace"], pod, wanted["container"], wanted["command"], wanted["wait_timeout"])
    try:
        checks = read(answer.stdout)
    except ValueError:
        said = (answer.stderr or answer.stdout).strip()[-1000:]
        text = f"Pod {pod}: '{' '.join(wanted['command'])}' exited with {answer.code} and printed no checks: {said}"
        module.fail_json(msg=text, checks=[])
    wrong = [each for each in checks if not each["ok"]]
    if wrong or answer.code:
        lines = [f"{each['name']}: expected {each['expected']}, found {each['found']}" for each in wrong]
        text = "\n".join(lines) or f"the command exited with {answer.code}"
        module.fail_json(msg=f"Pod {pod}: {text}", checks=checks)
    module.exit_json(checks=checks)


if __name__ == "__main__":
    main()
