# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Programs of the controller come for its own system and processor, whatever the nodes are."""

from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from repository import ROOT

ROLE = ROOT / "roles/artifacts"


def releases(uname: str) -> dict[str, dict[str, Any]]:
    """By program what is downloaded where `uname -s -m` says this."""
    loader = DataLoader()
    variables: dict[str, Any] = {}
    for path in [ROLE / "defaults/main.yml", *sorted((ROLE / "vars/main").glob("*.yml"))]:
        variables |= loader.load_from_file(str(path), trusted_as_template=True)
    told = variables["__artifacts_uname"].replace("lookup('ansible.builtin.pipe', 'uname -s -m')", f"'{uname}'")
    variables["__artifacts_uname"] = trust_as_template(told)
    tables = ("__artifacts_controller", "__artifacts_controller_kubectl", "__artifacts_controller_kind")
    entries = Templar(loader=loader, variables=variables).template(
        trust_as_template(f"{{{{ {tables[0]} | combine({', '.join(tables[1:])}) }}}}")
    )
    return {name: release for entry in entries.values() for name, release in entry["download"].items()}


@pytest.mark.parametrize(
    ("uname", "system", "processor"),
    [
        ("Linux x86_64", "linux", "amd64"),
        ("Linux aarch64", "linux", "arm64"),
        ("Darwin arm64", "darwin", "arm64"),
        ("Darwin x86_64", "darwin", "amd64"),
    ],
)
def test_each_program_is_this_machines(uname: str, system: str, processor: str) -> None:
    helm = f"https://get.helm.sh/helm-v4.2.4-{system}-{processor}.tar.gz"
    kind = f"https://github.com/kubernetes-sigs/kind/releases/download/v0.33.0/kind-{system}-{processor}"
    kubectl = f"https://dl.k8s.io/release/v1.36.3/bin/{system}/{processor}/kubectl"
    assert releases(uname) == {
        "helm": {"url": helm, "checksum": f"{helm}.sha256sum", "member": f"{system}-{processor}/helm"},
        "controller-kubectl": {"url": kubectl, "checksum": f"{kubectl}.sha256"},
        "kind": {"url": kind, "checksum": f"{kind}.sha256sum"},
    }
