# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Publish a tree of manifests or a Helm chart as an OCI artifact."""

from __future__ import annotations

DOCUMENTATION = """
module: oci_artifact
short_description: Publish a tree of manifests or a Helm chart as an OCI artifact
description:
  - Pushes an OCI artifact to a registry, unless the tag has the same content already.
  - The same content gives the same digest on every machine. If the tag has that digest, it sends one HEAD request only.
  - The tag is written last. An interrupted push leaves the previous artifact.
options:
  reference:
    description:
      - Where to publish, as C(host:port/repository:tag).
      - For a chart it ends in the chart's name and version; C(+) of a version becomes C(_), as Helm does it.
    type: str
    required: true
  files:
    description:
      - Text of each file, by its path. Becomes an artifact for an OCIRepository of Flux.
      - Either O(files) or O(chart) is required.
    type: dict
  chart: {description: Folder or packed C(.tgz) file of a Helm chart. Becomes an artifact for Helm., type: path}
  insecure: {description: Use plain HTTP., type: bool, default: false}
  ca_path:
    description: PEM file with the certificate of the registry's CA; by default those that this machine trusts.
    type: path
  username: {description: Name for basic authentication., type: str}
  password: {description: Password for basic authentication., type: str}
attributes:
  check_mode:
    description:
      - Computes the digest and compares it, pushes nothing.
      - Warns of a registry that does not answer, or a chart that does not exist, and assumes that the run creates it.
    support: full
  diff_mode:
    description: Shows each file before and after; data of Secrets as digests. Of a chart the digest.
    support: full
requirements: [PyYAML, urllib3]
author: Open Data Platform contributors (@opendata)
"""

EXAMPLES = """
- name: Publish the tree of the cluster
  opendata.platform.oci_artifact:
    reference: 127.0.0.1:5001/odp/local/north:latest
    insecure: true
    files:
      platform/team.yaml: "{{ team | to_nice_yaml }}"

- name: Publish the chart of Cilium
  opendata.platform.oci_artifact:
    reference: registry.example.org/charts/cilium:1.20.2
    ca_path: /srv/fleet/ca.crt
    username: publisher
    password: "{{ registry_password }}"
    chart: /srv/charts/cilium
"""

RETURN = """
digest:
  description: Digest of the artifact; empty in check mode for a chart that is not there.
  returned: always
  type: str
  sample: sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945
reference:
  description: O(reference) with its tag and the digest.
  returned: always
  type: str
  sample: 127.0.0.1:5001/odp/local/north:latest@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945
"""

import ssl
from pathlib import Path

from ansible_collections.opendata.platform.plugins.module_utils.module import Module
from ansible_collections.opendata.platform.plugins.module_utils.oci import archive, registry
from ansible_collections.opendata.platform.plugins.module_utils.oci import artifact as oci_artifact
from ansible_collections.opendata.platform.plugins.module_utils.oci.artifact import Artifact, Reference
from ansible_collections.opendata.platform.plugins.module_utils.oci.registry import (
    RegistryError,
    Repository,
    Unreachable,
)


def target(module: Module, findings: list[str]) -> tuple[Reference | None, ssl.SSLContext | None]:
    """Return the reference and the trusted CAs; faults are added to the findings."""
    params = module.params
    reference = tls = None
    try:
        reference = oci_artifact.reference(params["reference"])
    except ValueError as error:
        findings.append(str(error))
    try:
        tls = None if params["insecure"] else registry.trust(params["ca_path"])
    except ValueError as error:
        findings.append(str(error))
    if params["insecure"] and params["ca_path"]:
        findings.append("ca_path has no effect with insecure: true: remove one of them")
    return reference, tls


def content(module: Module, reference: Reference | None, findings: list[str]) -> Artifact | None:
    """Return what to publish, None for a chart that does not exist yet; faults are added to the findings."""
    files, chart = module.params["files"], module.params["chart"]
    if files is not None:
        # The recorded invocation must not contain the texts.
        module.params["files"] = sorted(files)
        faults = archive.findings(files)
        findings += faults
        return None if faults else oci_artifact.flux(files)
    if module.check_mode and not Path(chart).exists():
        module.warn(f"chart {chart} does not exist yet. It is planned as new.")
        return None
    try:
        metadata, packed = oci_artifact.read_chart(Path(chart))
    except ValueError as error:
        findings.append(str(error))
        return None
    findings += oci_artifact.chart_findings(metadata, reference) if reference else []
    return oci_artifact.chart(metadata, packed)


def published(module: Module, repository: Repository) -> str:
    """Return the digest under the tag, empty when there is none; in check mode also when nothing answers."""
    try:
        return repository.digest()
    except Unreachable as error:
        if not module.check_mode:
            raise
        module.warn(f"{error} Everything is planned as new.")
        return ""


def tree(module: Module, repository: Repository) -> dict[str, str]:
    """Return the published files, none when they cannot be read: publishing goes on without a diff."""
    try:
        layer = repository.layer(oci_artifact.FLUX_LAYER)
        files = archive.unpack(layer) if layer else {}
    except (RegistryError, ValueError, LookupError, TypeError) as error:
        module.warn(f"The published files cannot be compared: {error}")
        return {}
    return {path: data.decode(errors="replace") for path, data in files.items()}


def main() -> None:
    """Run the module."""
    module = Module(
        {
            "reference": {"type": "str", "required": True},
            "files": {"type": "dict"},
            "chart": {"type": "path"},
            "insecure": {"type": "bool", "default": False},
            "ca_path": {"type": "path"},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
        },
        mutually_exclusive=[("files", "chart")],
        required_one_of=[("files", "chart")],
        required_together=[("username", "password")],
        libraries=("urllib3", "yaml"),
        # Keeps the call out of syslog: files may contain secrets.
        no_log=True,
    )
    findings: list[str] = []
    files = module.params["files"]
    reference, tls = target(module, findings)
    artifact = content(module, reference, findings)
    if findings or not reference:
        module.fail_json(msg=f"Nothing was published: {'; '.join(findings)}.", findings=findings)
        return
    repository = Repository(reference, tls, module.params["username"] or "", module.params["password"] or "")
    digest = artifact.manifest.digest if artifact else ""
    with module.reporting(RegistryError, before=f"{reference} was not published: "):
        before = published(module, repository)
        changed = before != digest or not artifact
        diff = [archive.digest_diff(str(reference), before, digest)] if changed else []
        if changed and files is not None and module._diff:
            diff += archive.diff(tree(module, repository) if before else {}, files)
        if changed and artifact and not module.check_mode:
            repository.push(artifact)
    module.exit_json(changed=changed, digest=digest, reference=f"{reference}@{digest}".rstrip("@"), diff=diff)


if __name__ == "__main__":
    main()
