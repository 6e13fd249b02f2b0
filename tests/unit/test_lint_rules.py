# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Our own rules of ansible-lint, as the repository's settings load them."""

import subprocess
import sys
from pathlib import Path

from repository import ROOT

PLAYBOOK = """\
---
- name: Objects
  hosts: localhost
  gather_facts: false
  tasks:
    - name: A loop with our module
      opendata.platform.k8s_apply:
        kubeconfig: /k
        manifests: ["{{ item }}"]
      loop: []
    - name: An old loop with another module
      kubernetes.core.k8s_info:
        kind: "{{ item }}"
      with_items: [Pod]
    - name: A loop with a command
      ansible.builtin.command:
        argv: [/opt/bin/kubectl, apply, -f, "{{ item }}"]
      changed_when: true
      loop: []
    - name: A command in one text
      ansible.builtin.command: kubectl delete pod {{ item }}
      changed_when: true
      loop: []
    - name: One task for all
      opendata.platform.k8s_apply:
        kubeconfig: /k
    - name: A loop over something else
      ansible.builtin.command:
        cmd: kubectl-like {{ item }}
      changed_when: true
      loop: []
"""


def test_a_loop_over_objects_is_refused_by_file_and_task(tmp_path: Path) -> None:
    playbook = tmp_path / "play.yml"
    playbook.write_text(PLAYBOOK)
    command = [str(Path(sys.executable).parent / "ansible-lint"), "--offline", "--strict", "--nocolor", str(playbook)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    found = [(lines[number], lines[number + 1]) for number, line in enumerate(lines) if " over Kubernetes" in line]
    rest = "one task of opendata.platform.k8s_apply takes them all"
    assert found == [
        (f"no-loop-over-objects: {what}: {rest}", f"{playbook}:{line} Task/Handler: {name}")
        for what, line, name in (
            ("loop over Kubernetes objects with opendata.platform.k8s_apply", 6, "A loop with our module"),
            ("with_items over Kubernetes objects with kubernetes.core.k8s_info", 11, "An old loop with another module"),
            ("loop over Kubernetes objects with kubectl", 15, "A loop with a command"),
            ("loop over Kubernetes objects with kubectl", 20, "A command in one text"),
        )
    ]
    assert done.returncode == 2
