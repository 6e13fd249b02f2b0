# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Helm's record of a release compared with what is wanted."""

import base64
import gzip
import json
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes import helm_release

VALUES = {"kubeProxyReplacement": True, "operator": {"replicas": 1}}


def release(status: str = "deployed") -> dict[str, Any]:
    chart = {"metadata": {"version": "1.20.2"}}
    return {"info": {"status": status}, "chart": chart, "config": VALUES, "manifest": ""}


def test_decode_reads_what_helm_stores() -> None:
    inner = base64.b64encode(gzip.compress(json.dumps(release()).encode()))
    assert helm_release.decode(base64.b64encode(inner).decode()) == release()


@pytest.mark.parametrize(
    ("found", "version", "values", "gap"),
    [
        (None, "1.20.2", VALUES, "is not installed"),
        (release(), "1.20.2", VALUES, ""),
        (release(), "1.20.3", VALUES, "is chart 1.20.2, wanted is 1.20.3"),
        (release(), "1.20.2", {}, "has other values"),
        (release("failed"), "1.20.2", VALUES, "is not deployed but failed: an earlier run of helm did not end well"),
    ],
)
def test_gap(found: dict[str, Any] | None, version: str, values: dict[str, Any], gap: str) -> None:
    assert helm_release.gap(found, version, values) == gap
