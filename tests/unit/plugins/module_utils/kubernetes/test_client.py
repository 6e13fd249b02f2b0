# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""From a kubeconfig to a connection."""

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes import client
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import Cluster, Unreachable

from kubeconfigs import config, write


def test_the_context_decides_who_asks(tmp_path: Path) -> None:
    path = write(tmp_path, config("https://127.0.0.1:1/", {"token": "mine"}))
    assert client.connect(path, None).headers == {"Authorization": "Bearer mine"}
    assert client.connect(path, "two").headers == {"Authorization": "Bearer other"}
    assert client.connect(path, None).server == "https://127.0.0.1:1"


def test_a_token_file_lies_beside_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    path = write(tmp_path, config("https://127.0.0.1:1", {"tokenFile": "token"}))
    assert client.connect(path, None).headers == {"Authorization": "Bearer from-file"}


@pytest.mark.parametrize(
    ("content", "context", "words"),
    [
        ({}, None, "not a complete kubeconfig"),
        (None, None, "not a complete kubeconfig"),
        (config("https://x", {}), "three", "has no three under contexts"),
        ({**config("https://x", {}), "users": []}, None, "has no u under users"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: Any, context: str | None, words: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(Unreachable, match=words) as caught:
        Cluster(path, context)
    assert path in str(caught.value)
