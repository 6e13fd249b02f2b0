# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The fleet record of each valid fixture."""

import json

import pytest

import inventories
import render


@pytest.mark.parametrize("name", inventories.names("valid"))
def test_record(name: str) -> None:
    render.assert_golden(f"fleet/{name}.json", json.dumps(render.fleet(name), indent=2) + "\n")
