# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The real source-controller and kustomize-controller, a real API server and a real repository.

What git_tree pushes and role flux writes is read, named by the same revision, and decrypted.
The Git host is a stand-in.
"""

import base64
import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.flux import sops
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import Cluster

import api_server
import contracts
import git_clones
import git_server
import render
from artifact_store import newest
from repository import ROOT

Run = Callable[..., dict[str, Any]]
FIXTURES = ROOT / "tests/fixtures/secrets"
CIPHERTEXT = {"/s/warehouse.sops.yaml": (FIXTURES / "warehouse.sops.yaml").read_text()}
KEY = (FIXTURES / "only-for-tests.age.key").read_text()
PATH = "clusters/git/north"


def controller(place: Path, server: api_server.ApiServer, name: str, *options: str) -> subprocess.Popen[bytes]:
    """Start a controller of Flux as a process on loopback."""
    ports = [f"--{kind}-addr=127.0.0.1:{api_server.free_port()}" for kind in ("metrics", "health")]
    environment = {**os.environ, "KUBECONFIG": str(server.kubeconfig), "RUNTIME_NAMESPACE": "flux-system"}
    log = (place / f"{name}.log").open("wb")
    command = [str(newest(f"*/{name}")), "--enable-leader-election=false", "--events-addr=", *ports, *options]
    return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


@pytest.fixture
def flux(tmp_path: Path, run: Run) -> Iterator[dict[str, str]]:
    """An API server of its own with Flux's CRDs and both controllers; the module's arguments for it."""
    with contextlib.ExitStack() as stack:
        # Not the shared one: its controllers would reconcile the objects of other tests.
        server = stack.enter_context(api_server.api_server(tmp_path))
        cluster = {"kubeconfig": str(server.kubeconfig)}
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flux-system"}}
        assert run("k8s_apply", **cluster, manifests=[*contracts.flux(), space]).get("failed") is None
        (tmp_path / "data").mkdir()
        here = f"127.0.0.1:{api_server.free_port()}"
        storage = [f"--storage-path={tmp_path}/data", f"--storage-addr={here}", f"--storage-adv-addr={here}"]
        for name, options in (("source-controller", storage), ("kustomize-controller", [])):
            process = controller(tmp_path, server, name, *options)
            stack.callback(process.wait, 10)
            stack.callback(process.kill)
        yield cluster


def objects(template: str, fleet: dict[str, Any], published: dict[str, Any]) -> list[dict[str, Any]]:
    """What role flux makes of a template after git_tree."""
    variables = {
        "inventory_hostname": "north",
        "ansible_play_hosts": ["north"],
        "hostvars": {"north": {"__flux_published": published}},
    }
    text = render.render("flux", f"{template}.yaml.j2", fleet=fleet, mirror={"registry": ""}, **variables)
    return [*yaml.safe_load_all(text)]


def test_flux_reads_what_git_tree_pushed_and_decrypts_it(run: Run, flux: dict[str, str], tmp_path: Path) -> None:
    origin = git_clones.bare(tmp_path / "repositories/fleet.git")
    clone = git_clones.Clone(tmp_path / "clone", origin).push_first()
    keys = sops.secrets({"sops-age": {"age.agekey": KEY}, "platform-git": {}})
    with git_server.serve(origin.parent) as url:
        fleet = render.fleet("git")
        fleet["platform"] |= {"git_url": f"{url}/fleet.git", "git_branch": "main"}
        kustomization = yaml.safe_dump_all(objects("secrets.kustomization", fleet, {}))
        marked = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mark", "namespace": "default"}}
        for number in ("1", "2"):
            marked["data"] = {"number": number}
            files = sops.published(CIPHERTEXT, kustomization) | {"platform/mark.yaml": yaml.safe_dump(marked)}
            made = run("git_tree", **clone.arguments(files, PATH))
            # Another cluster pushes afterwards: the branch has one more commit than this one's.
            last = run("git_tree", **clone.arguments({"mark": number}, "clusters/git/south"))
            assert made["changed"] and last["changed"]
            applied = run("k8s_apply", **flux, manifests=keys + objects("source", fleet, last), force_conflicts=True)
            assert applied.get("failed") is None, applied
            ready = run("flux_ready", **flux, revision=last["revision"], wait_timeout=60)
            assert ready.get("failed") is None, ready["msg"]
            cluster = Cluster(flux["kubeconfig"], None)
            found = cluster.get("/api/v1/namespaces/default/configmaps/mark")
            assert found["data"] == {"number": number}
        secret = cluster.get("/api/v1/namespaces/default/secrets/warehouse")
        assert base64.b64decode(secret["data"]["password"]) == b"only-for-tests" and "sops" not in secret
        source = cluster.get("/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories/platform")
        assert source["status"]["artifact"]["revision"] == last["revision"]
