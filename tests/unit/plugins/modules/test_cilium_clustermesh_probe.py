# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module cilium_clustermesh_probe without a cluster; tests/integration has one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]
MODULE = "cilium_clustermesh_probe"
BOTH = ["a", "b"]


def test_check_mode_of_a_cluster_that_is_not_made_yet(tmp_path: Path, run: Run) -> None:
    def planned(**options: Any) -> dict[str, Any]:
        return run(MODULE, check=True, kubeconfig=str(tmp_path / "none"), name="a", **options)

    assert planned()["counts"]["created"] == 4
    assert planned(state="probed", peers=BOTH)["changed"] is False
    assert planned(state="absent")["changed"] is False


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"requests": 0, "peers": BOTH}, "requests is 0: at least 1 is needed."),
        ({"peers": ["a"]}, "modes remote, fallback: peers contains no other cluster that could answer."),
        ({"peers": BOTH, "modes": []}, "modes is empty: nothing would be tested."),
        (
            {"requests": 0},
            "requests is 0: at least 1 is needed; modes remote, fallback: peers contains no other cluster "
            "that could answer.",
        ),
    ],
)
def test_options_that_would_test_nothing_are_refused(run: Run, options: dict[str, Any], words: str) -> None:
    result = run(MODULE, kubeconfig="/nowhere", name="a", state="probed", **options)
    assert (result["failed"], result["msg"]) == (True, words)
