# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What differs by version."""

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.mesh.chart import flavour, minor, parts
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("version", "aliases", "auth", "local", "nodeport"),
    [
        ("1.18.12", False, "legacy", False, True),
        ("v1.19.6", False, "migration", True, False),
        ("1.20.2", True, "migration", True, False),
    ],
)
def test_rows(version: str, aliases: bool, auth: str, local: bool, nodeport: bool) -> None:
    row = flavour(version)
    found = (row.aliases_in_entries, row.auth_default, row.policy_local_default, row.nodeport_must_differ)
    assert found == (aliases, auth, local, nodeport)


def test_unknown_versions_are_as_the_nearest_known_one() -> None:
    assert flavour("1.9.0") == flavour("1.16.3") == flavour("1.18.0")
    assert flavour("1.21.0-pre.1") == flavour("2.0.0") == flavour("1.20.2")


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.sampled_from(["", "-rc.1", "+build"]))
def test_versions_are_read_as_numbers(major: int, middle: int, patch: int, rest: str) -> None:
    assert parts(f"v{major}.{middle}.{patch}{rest}") == (major, middle, patch)
    assert minor(f"{major}.{middle}") == (major, middle)


def test_what_is_no_version_says_so() -> None:
    with pytest.raises(ValueError, match=r"'latest' is no version of Cilium: write it like 1.20.2"):
        minor("latest")
