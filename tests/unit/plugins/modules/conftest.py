# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Clones of one bare repository, reached by file://."""

from collections.abc import Callable
from pathlib import Path

import pytest

import git_clones
from kind_stand_in import stand_in  # noqa: F401 - a fixture


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    return git_clones.bare(tmp_path / "bare.git")


@pytest.fixture
def make(tmp_path: Path, bare: Path) -> Callable[[str], git_clones.Clone]:
    """make("second") -> another clone of the same repository."""
    return lambda name: git_clones.Clone(tmp_path / name, bare)


@pytest.fixture
def clone(make: Callable[[str], git_clones.Clone]) -> git_clones.Clone:
    """A clone with one commit that is pushed."""
    return make("clone").push_first()
