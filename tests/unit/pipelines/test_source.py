# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The raw files are what they say: the same for the same seed, with faults whose number is known."""

import csv
import io
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from trips import figures, source

ROWS = st.integers(1, 1500)
SEEDS = st.integers(0, 2**32)


@settings(max_examples=40, deadline=None)
@given(ROWS, SEEDS)
def test_files_hold_each_row_once_and_in_order(rows: int, seed: int) -> None:
    lines = []
    for _name, content in source.files(rows, seed):
        header, *body = csv.reader(io.StringIO(content.decode()))
        assert tuple(header) == source.COLUMNS
        lines += [tuple(line) for line in body]
    assert lines == [row for row, _fault in source.trips(rows, seed)]
    assert len(lines) == rows


@settings(max_examples=40, deadline=None)
@given(ROWS, SEEDS)
def test_every_full_block_has_each_fault_once(rows: int, seed: int) -> None:
    faults = [fault for _row, fault in source.trips(rows, seed)]
    for start in range(0, rows - source.BLOCK + 1, source.BLOCK):
        found = Counter(faults[start : start + source.BLOCK])
        assert found == {"": source.BLOCK - len(source.FAULTS), **dict.fromkeys(source.FAULTS, 1)}


@settings(max_examples=40, deadline=None)
@given(ROWS, SEEDS)
def test_ids_of_good_rows_differ_and_a_duplicate_repeats_one_of_them(rows: int, seed: int) -> None:
    good: dict[str, source.Row] = {}
    for row, fault in source.trips(rows, seed):
        if fault == "duplicate":
            assert good[row[0]] == row
        elif not fault:
            assert good.setdefault(row[0], row) is row


def test_seed_and_rows_decide_everything() -> None:
    assert list(source.files(500, 1)) == list(source.files(500, 1))
    assert list(source.files(500, 1)) != list(source.files(500, 2))


def test_a_duplicate_may_come_in_a_later_file() -> None:
    origin: dict[str, int] = {}
    apart = 0
    for number, (row, fault) in enumerate(source.trips(8000, 7)):
        apart += fault == "duplicate" and number // 1000 > origin[row[0]] // 1000
        origin.setdefault(row[0], number)
    assert apart > 10


@settings(max_examples=20, deadline=None)
@given(ROWS, SEEDS)
def test_expected_figures_add_up(rows: int, seed: int) -> None:
    found = figures.expected(rows, seed)
    assert found.raw == rows == found.accepted + found.rejected.total()
    assert figures.mart_summary(found.daily)["trips"] == found.accepted
    assert figures.mart_summary(found.daily)["fare_cents"] == found.fare_cents
    assert all(source.FIRST_DAY <= day <= source.LAST_DAY and zone in source.ZONES for day, zone in found.daily)


def test_a_mart_with_one_cent_in_another_zone_is_another_mart() -> None:
    mart = {("2026-06-01", "east"): (1, 500), ("2026-06-01", "west"): (1, 600)}
    moved = {("2026-06-01", "east"): (1, 501), ("2026-06-01", "west"): (1, 599)}
    assert figures.mart_summary(mart) == figures.mart_summary(dict(reversed(mart.items())))
    assert figures.mart_summary(mart) != figures.mart_summary(moved)
