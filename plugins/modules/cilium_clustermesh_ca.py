# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Manage the CA of a Cilium Cluster Mesh and rotate it in phases."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cilium_clustermesh_ca
short_description: Manage the CA of a Cilium Cluster Mesh and rotate it
version_added: 0.1.0
description:
  - Creates the CA that all clusters of a mesh share, in a directory of the machine where the module runs. An existing
    CA is kept; if its files do not match, the module fails and never recreates it.
  - Rotates the CA without interruption in three phases, between which M(opendata.platform.cilium_clustermesh_certs)
    runs for every cluster. In every phase both CAs are trusted.
options:
  path:
    description:
      - Directory with C(ca.crt), C(ca.key) (of the CA that signs), C(bundle.crt) (all trusted CAs) and C(state.json)
        (the phase and the pairs of certificate and key), readable by the owner only.
      - Required unless O(ca_cert) is given.
    type: path
  state: {description: V(absent) removes these files., type: str, choices: [present, absent], default: present}
  phase:
    description:
      - V(stable) creates a CA if there is none, and leaves a rotation in progress as it is.
      - V(prepare) creates the next CA; both are trusted, the old one signs. After V(switch) it goes back to this state.
      - V(switch) lets the next CA sign; both are trusted.
      - V(finish) removes the old CA and its key. Use it only after all clusters have certificates of the new CA.
    type: str
    choices: [stable, prepare, switch, finish]
    default: stable
  common_name: {description: CN of a new CA., type: str, default: Cilium CA}
  validity_days: {description: Validity of a new CA in days., type: int, default: 3650}
  adopt_from:
    description: Cluster whose Secret cilium-ca becomes the CA if O(path) holds none; nothing is reissued.
    type: dict
    suboptions:
      kubeconfig:
        description: Path of the kubeconfig on the machine where the module runs.
        type: path
        required: true
      context: {description: Context in the kubeconfig; its current context if omitted., type: str}
      namespace: {description: Namespace of Cilium., type: str, default: kube-system}
  ca_cert:
    description:
      - Certificate of a CA that is stored elsewhere (SOPS, ansible-vault), PEM. It is checked and nothing is written.
      - Such a CA has no phases; to trust two of them use
        O(opendata.platform.cilium_clustermesh_certs#module:ca_bundle).
    type: str
  ca_key: {description: "Private key of O(ca_cert), PEM without passphrase.", type: str}
attributes:
  check_mode: {description: Writes nothing. A CA that would be created is returned and discarded., support: full}
  diff_mode: {description: Shows the phase and the sha256 of the CAs; never a key., support: full}
requirements: [cryptography, kubernetes (for kubeconfigs with exec plugins or proxies)]
author: Open Data Platform contributors (@opendata)
"""

EXAMPLES = r"""
- name: Adopt the CA that Cilium created in the first cluster, if there is no CA of the mesh
  opendata.platform.cilium_clustermesh_ca:
    path: /srv/fleet/.state/mesh
    adopt_from: {kubeconfig: /srv/fleet/.state/kubeconfigs/north}
  register: mesh_ca

- name: Let all clusters trust the next CA before it signs
  opendata.platform.cilium_clustermesh_ca:
    path: /srv/fleet/.state/mesh
    phase: prepare
"""

RETURN = r"""
ca_cert: {description: "Certificate of the CA that signs, PEM.", returned: when O(state=present), type: str}
bundle: {description: "Certificates of all CAs to trust, PEM.", returned: when O(state=present), type: str}
fingerprint: {description: The sha256 of the CA that signs., returned: when O(state=present), type: str}
fingerprints:
  description: The sha256 of all CAs to trust, sorted.
  returned: when O(state=present)
  type: list
  elements: str
phase: {description: "V(stable), V(prepare) or V(switch).", returned: when O(state=present), type: str}
next_fingerprint:
  description: The sha256 of the CA that will sign after the switch; empty outside of phase prepare.
  returned: when O(state=present)
  type: str
not_after:
  description: When the CA that signs expires, in UTC.
  returned: when O(state=present)
  type: str
  sample: "2036-11-21T00:00:00Z"
days_left: {description: Days until then., returned: when O(state=present), type: int}
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import Cluster
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.module import ControllerModule
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki import ca as authority
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki import certificates as certs
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki import secrets as trust
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki.ca import Authority
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki.certificates import Pair, make_authority
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki.leaf_certificates import authority_findings

_WARN_DAYS = 90  # a replacement needs three runs over all clusters

OPTIONS = {
    "path": {"type": "path"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "phase": {"type": "str", "choices": ["stable", "prepare", "switch", "finish"], "default": "stable"},
    "common_name": {"type": "str", "default": "Cilium CA"},
    "validity_days": {"type": "int", "default": 3650},
    "adopt_from": {
        "type": "dict",
        "options": {
            "kubeconfig": {"type": "path", "required": True},
            "context": {"type": "str"},
            "namespace": {"type": "str", "default": "kube-system"},
        },
    },
    "ca_cert": {"type": "str"},
    "ca_key": {"type": "str", "no_log": True},
}


def adopt(kubeconfig: str, context: str | None, namespace: str) -> Authority:
    """Return the CA of a cluster. Raise ValueError where it has none that can sign, ApiError, Unreachable."""
    cluster = Cluster(kubeconfig, context)
    place = f"Secret {trust.AUTHORITY} in {namespace} of {cluster.host}"
    secret = cluster.get(f"/api/v1/namespaces/{namespace}/secrets/{trust.AUTHORITY}")
    if secret is None:
        raise ValueError(f"{place} does not exist: leave adopt_from out to make a CA")
    # cert-manager keeps a CA under the names of any certificate.
    prefix = "ca" if "ca.key" in (secret.get("data") or {}) else "tls"
    found = {f"ca.{end}": trust.decoded(secret, f"{prefix}.{end}") for end in ("crt", "key")}
    adopted = authority.load({name: text for name, text in found.items() if text}, place)
    if adopted is None:
        raise ValueError(f"{place} holds no CA: leave adopt_from out to make one")
    return adopted


def shown(found: Authority | None) -> str:
    """Return what a diff shows of a CA."""
    if found is None:
        return ""
    lines = [f"phase: {found.phase}", f"signs: {certs.fingerprints(found.signer.cert)[0]}"]
    return "\n".join([*lines, *(f"trusted: {each}" for each in certs.fingerprints(found.bundle)), ""])


def result(found: Authority, now: datetime) -> dict[str, Any]:
    """Return what the module says of a CA; no key."""
    cert = certs.certificates(found.signer.cert)[0]
    described = certs.describe(cert, now)
    return {
        "ca_cert": certs.pem([cert]),
        "bundle": found.bundle,
        "fingerprint": described["sha256"],
        "fingerprints": certs.fingerprints(found.bundle),
        "phase": found.phase,
        "next_fingerprint": certs.fingerprints(found.next_cert)[0] if found.next_cert else "",
        "not_after": described["not_after"],
        "days_left": described["days_left"],
    }


def given(wish: dict[str, Any], now: datetime) -> Authority:
    """Return the CA of the options. Raise ValueError with all that is wrong with it."""
    pair = Pair(wish["ca_cert"], wish["ca_key"])
    found = authority_findings(pair, pair.cert, now)
    if wish["phase"] != "stable":
        found.append(f"phase '{wish['phase']}' needs path: a CA given as ca_cert has no phases")
    if found:
        raise ValueError("\n".join(found))
    return Authority("stable", (pair,))


def converge(module: ControllerModule, path: Path, now: datetime) -> tuple[bool, Authority | None, Authority]:
    """Bring the directory to the phase; return whether it changed, the CA before and after. Raise ValueError etc."""
    wish = module.params

    def make() -> Pair:
        return make_authority(wish["common_name"], wish["validity_days"], now)

    before = authority.load(authority.read(path), str(path))
    start = adopt(**wish["adopt_from"]) if before is None and wish["adopt_from"] else before
    after = authority.advance(start, wish["phase"], make, str(path))
    changed = False
    # What an earlier run left half done is completed first: the next step may overwrite what it would be known by.
    for each in [found for found in (before, after) if found]:
        if differing := authority.differing(path, authority.files(each)):
            changed = True
            if not module.check_mode:
                authority.write(path, authority.files(each), differing)
    return changed, before, after


def main() -> None:
    """Run the module."""
    module = ControllerModule(
        OPTIONS,
        required_together=[("ca_cert", "ca_key")],
        required_one_of=[("path", "ca_cert")],
        required_if=[("state", "absent", ["path"])],
        mutually_exclusive=[("path", "ca_cert")],
    )
    wish, now = module.params, datetime.now(UTC)
    path = Path(wish["path"] or "")
    with module.reporting_api(ValueError, OSError):
        if wish["state"] == "absent":
            gone = authority.remove(path, module.check_mode)
            listed = "".join(f"{path / name}\n" for name in gone)
            module.exit_json(changed=bool(gone), diff={"before": listed, "after": ""})
        if wish["path"]:
            changed, before, after = converge(module, path, now)
        else:
            changed, before = False, given(wish, now)
            after = before
    found = result(after, now)
    if found["days_left"] < _WARN_DAYS:
        step = "rotate it (phases prepare, switch, finish)."
        module.warn(f"The CA of the mesh expires in {found['days_left']} days: {step}")
    if wish["phase"] == "stable" and after.phase != "stable":
        module.warn(f"The rotation of the CA is in phase {after.phase}: continue with the next phase.")
    module.exit_json(changed=changed, **found, diff={"before": shown(before), "after": shown(after)})


if __name__ == "__main__":
    main()
