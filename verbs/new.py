# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Verb new: writes the role of a new service, which can be switched on as it is."""

import re
import sys
from pathlib import Path

from inventory import ROOT, near

KINDS = ["service"]
NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
LONGEST = 53
FILES = {
    "tasks/main.yml": """\
- name: Describe SERVICE
  ansible.builtin.include_role:
    name: opendata.platform.service
  vars:
    service_release:
      name: SERVICE
      manifests: ROLE.yml.j2
      values:
        replicas: 1
        memory: 64Mi
      overrides: "{{ ROLE_values }}"
      route: {port: 80, sso: none, reason: it shows nothing but its own name}
""",
    "defaults/main.yml": """\
# Merged over the values in tasks/main.yml.
ROLE_values: {}
""",
    "meta/main.yml": """\
galaxy_info:
  author: Open Data Platform contributors
  description: SERVICE as a service of the platform
  license: Apache-2.0
  min_ansible_version: "2.21"
dependencies: []
""",
    "meta/argument_specs.yml": """\
argument_specs:
  main:
    short_description: SERVICE as a service of the platform
    description:
      - Describes SERVICE. See role P(opendata.platform.service#role).
    options:
      ROLE_values:
        description: Merged over the values in C(tasks/main.yml).
        type: dict
        default: {}
""",
    "templates/ROLE.yml.j2": """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: SERVICE
spec:
  replicas: {{ values.replicas }}
  selector:
    matchLabels:
      app: SERVICE
  template:
    metadata:
      labels:
        app: SERVICE
    spec:
      automountServiceAccountToken: false
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: SERVICE
          image: {{ service.images.testserver }}
          args: [serve, ":8080", SERVICE]
          ports:
            - name: http
              containerPort: 8080
          readinessProbe:
            httpGet:
              path: /
              port: http
          resources:
            requests:
              cpu: 10m
              memory: {{ values.memory }}
            limits:
              memory: {{ values.memory }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: [ALL]
---
apiVersion: v1
kind: Service
metadata:
  name: SERVICE
spec:
  selector:
    app: SERVICE
  ports:
    - name: http
      port: 80
      targetPort: http
""",
}
NEXT = """\
roles/ROLE is there, with a small web server in place of SERVICE. Next:
  1. Put your objects into roles/ROLE/templates/ROLE.yml.j2 and describe what they need in roles/ROLE/tasks/main.yml
     (docs/services.md, ansible-doc -t role opendata.platform.service).
  2. Name it: a row | `ROLE_values` | none | … | in docs/inventory.md, and `ROLE` in README.md.
  3. Switch it on in an inventory, and: ./odp up
"""


def main() -> int:
    """0 when the role was written."""
    kind, *names = sys.argv[1:] or [""]
    if kind not in KINDS:
        sys.exit(f"odp: there is no verb '{f'new {kind}'.strip()}'.{near(kind, KINDS)}")
    if len(names) != 1:
        sys.exit("odp: new service needs one name: ./odp new service NAME")
    name = names[0]
    if len(name) > LONGEST or not NAME.fullmatch(name):
        sys.exit(
            f"odp: '{name}' is no valid name. Use at most {LONGEST} characters a-z, 0-9 and '-', not '-' at an end."
        )
    role = name.replace("-", "_")
    if role[0].isdigit():
        sys.exit(f"odp: '{name}' is no valid name. It names variables, so it begins with a letter.")
    directory = ROOT / "roles" / role
    if directory.exists():
        sys.exit(f"odp: there is already a role {role} ({directory.relative_to(ROOT)}). Choose another name.")
    write(directory, name, role)
    sys.stdout.write(filled(NEXT, name, role))
    return 0


def write(directory: Path, name: str, role: str) -> None:
    """The files of the role."""
    for path, text in FILES.items():
        target = directory / filled(path, name, role)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(filled(text, name, role))


def filled(text: str, name: str, role: str) -> str:
    """The text with the names of service and role."""
    return text.replace("SERVICE", name).replace("ROLE", role)


if __name__ == "__main__":
    sys.exit(main())
