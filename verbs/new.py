# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Verb new: writes the role of a new service, into this repository or another collection."""

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from hosts import ROOT
from inventory import from_user, near

# isort: split
# The import of hosts makes the collection importable.
from ansible_collections.opendata.platform.plugins.module_utils.service.declaration import is_taken

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
      route: {port: 80, sso: none, reason: it shows only its name}
""",
    "defaults/main.yml": """\
# Merged over the values in tasks/main.yml.
ROLE_values: {}
""",
    "meta/service.yml": """\
# Declares this role a service. Also: name, requires (services), features (database, bucket).
memory: 64Mi
""",
    "meta/main.yml": """\
galaxy_info:
  author: AUTHOR
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
      - Describes SERVICE to role P(opendata.platform.service#role).
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
HERE = """\
Wrote roles/ROLE, with a small web server in place of SERVICE. Next:
  1. Put your objects into templates/ROLE.yml.j2, describe their needs in tasks/main.yml, and declare them in
     meta/service.yml (docs/services.md, ansible-doc -t role opendata.platform.service).
  2. Document it: a row | `ROLE_values` | none | … | in docs/inventory.md, and `ROLE` in README.md.
  3. Add it to cluster_services of an inventory, and run: ./odp up
"""
ELSEWHERE = """\
Wrote DIRECTORY, with a small web server in place of SERVICE. Next:
  1. Put your objects into templates/ROLE.yml.j2, describe their needs in tasks/main.yml, and declare them in
     meta/service.yml (docs/services.md, ansible-doc -t role opendata.platform.service).
  2. INSTALL
  3. Add it to an inventory: cluster_services: [FQCN]
"""
COLLECTION = "Install the collection where you run Ansible: ansible-galaxy collection install PLACE"
BESIDE = "Run Ansible from PLACE, or with a playbook there, so that the role is found."


def main() -> int:
    """0 when the role was written."""
    kind, *arguments = sys.argv[1:] or [""]
    if kind not in KINDS:
        sys.exit(f"odp: there is no verb '{f'new {kind}'.strip()}'.{near(kind, KINDS)}")
    parser = argparse.ArgumentParser(prog="odp new service", add_help=False, allow_abbrev=False)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--into")
    wanted, unknown = parser.parse_known_args(arguments)
    if len(wanted.names) != 1 or unknown or wanted.into == "":
        sys.exit("odp: new service needs one name: ./odp new service NAME [--into DIRECTORY]")
    name = wanted.names[0]
    if len(name) > LONGEST or not NAME.fullmatch(name):
        sys.exit(
            f"odp: '{name}' is not a valid name. Use at most {LONGEST} characters a-z, 0-9 and '-', not '-' at an end."
        )
    role = name.replace("-", "_")
    if role[0].isdigit():
        sys.exit(f"odp: '{name}' is not a valid name. It is part of variables, so it must begin with a letter.")
    if is_taken(role):
        sys.exit(f"odp: '{name}' is not a valid name. Variables of Ansible begin with {role}_; choose another one.")
    place = from_user(wanted.into) if wanted.into else ROOT
    if not place.is_dir():
        sys.exit(f"odp: there is no directory {place}. Name a collection, the directory with its galaxy.yml.")
    directory = place / "roles" / role
    if directory.exists():
        shown = directory if wanted.into else directory.relative_to(ROOT)
        sys.exit(f"odp: there is already a role {role} ({shown}). Choose another name.")
    galaxy = _galaxy(place)
    words = {"SERVICE": name, "ROLE": role, "AUTHOR": _author(galaxy)}
    write(directory, words)
    if not wanted.into:
        sys.stdout.write(filled(HERE, words))
        return 0
    fqcn = f"{galaxy['namespace']}.{galaxy['name']}.{role}" if galaxy else role
    install = (COLLECTION if galaxy else BESIDE).replace("PLACE", str(place))
    sys.stdout.write(filled(ELSEWHERE, {**words, "DIRECTORY": str(directory), "INSTALL": install, "FQCN": fqcn}))
    return 0


def _galaxy(place: Path) -> dict[str, Any]:
    """galaxy.yml of a collection; empty for any other directory, exits if it names no collection."""
    file = place / "galaxy.yml"
    if not file.exists():
        return {}
    try:
        found = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, ValueError):
        found = None
    if isinstance(found, dict) and all(re.fullmatch(r"\w+", str(found.get(key, ""))) for key in ("namespace", "name")):
        return found
    sys.exit(f"odp: {file} is not YAML with the namespace and the name of a collection. Correct it first.")


def _author(galaxy: dict[str, Any]) -> str:
    """The first author of a collection, whose galaxy.yml has one or a list."""
    authors = galaxy.get("authors") or "Your name"
    return str(authors[0] if isinstance(authors, list) else authors)


def write(directory: Path, words: dict[str, str]) -> None:
    """The files of the role."""
    for path, text in FILES.items():
        target = directory / filled(path, words)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(filled(text, words))


def filled(text: str, words: dict[str, str]) -> str:
    """The text with its words in capitals replaced."""
    return re.sub("|".join(words), lambda found: words[found[0]], text)


if __name__ == "__main__":
    sys.exit(main())
