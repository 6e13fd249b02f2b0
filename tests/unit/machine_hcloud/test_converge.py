# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The role from nothing to a cluster of three servers at the stand-in, and what it mends."""

import pytest


@pytest.mark.timeout(600)
def test_from_nothing_to_three_servers(site) -> None:
    for number in (1, 2, 3):
        site.add(f"hz-{number}", f"10.78.0.1{number}")
    planned = site.run("--check", "--diff")
    print(planned.text[-6000:])
    assert planned.code == 0
    done = site.run()
    print(done.text[-6000:])
    assert done.code == 0
    start = len(site.stand_in.exchanges)
    again = site.run()
    print(again.text[-6000:])
    assert again.code == 0
    print(site.stand_in.writes(start), len(site.stand_in.exchanges) - start)
    assert site.stand_in.writes(start) == []
