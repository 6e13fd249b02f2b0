# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A kubeconfig that leads to another cluster than before: the words, and what is left alone."""

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.fleet import identity as pure


def test_the_words_name_both_uids_the_paths_and_the_step() -> None:
    seen = pure.Seen("north", "/f/kubeconfigs/north", "b-2", "/f/clusters/north/uid", "a-1")
    assert [str(each) for each in pure.findings([seen])] == [
        "north: kubeconfig /f/kubeconfigs/north points to the cluster with UID b-2, recorded is a-1 "
        "(/f/clusters/north/uid). Replace the kubeconfig. "
        "If the cluster was recreated on purpose, remove the record: rm /f/clusters/north/uid"
    ]


@pytest.mark.parametrize(("uid", "recorded", "new"), [("", "a", False), ("a", "a", False), ("a", "", True)])
def test_what_does_not_answer_is_the_same_or_is_new_is_not_refused(uid: str, recorded: str, new: bool) -> None:
    seen = [pure.Seen("north", "/k", uid, "/u", recorded)]
    assert pure.findings(seen) == []
    assert (pure.unrecorded(seen) == seen) == new


def test_a_cluster_that_is_not_made_or_does_not_answer_is_left_alone(run: Any, tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("x")
    paths = {
        name: {"kubeconfig": str(tmp_path / name), "uid_file": str(tmp_path / "uid")} for name in ("absent", "broken")
    }
    assert run("cluster_identity", clusters=paths) == {"changed": False, "uids": {}, "diff": []}
