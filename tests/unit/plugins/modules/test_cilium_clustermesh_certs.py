# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module cilium_clustermesh_certs without a cluster; tests/integration has one."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki.certificates import make_authority

Run = Callable[..., dict[str, Any]]
OLD = make_authority("Cilium CA", 3650, datetime.now(UTC))


def test_a_cluster_that_is_not_made_yet_is_planned(run: Run, tmp_path: Path) -> None:
    wanted = {"kubeconfig": str(tmp_path / "absent"), "name": "north", "ca_cert": OLD.cert, "remote_users": []}
    planned = run("cilium_clustermesh_certs", check=True, **wanted)
    assert [each["action"] for each in planned["objects"]] == ["issued"] * 4 + ["written"]
    refused = run("cilium_clustermesh_certs", **wanted, ca_key=OLD.key)
    assert str(tmp_path / "absent") in refused["msg"]
