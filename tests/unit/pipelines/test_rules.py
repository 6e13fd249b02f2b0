# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Each fault gets its own reason. SQLite stands in for Spark: the rules are plain SQL, only the casts are made here."""

import contextlib
import sqlite3
from collections import Counter
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trips import figures, rules, source

GOOD = ("trip-1", "2026-06-15T12:00:00", "east", "1000", "900")
COLUMNS = (*source.COLUMNS, *rules.TYPED)


def cast(kind: type | object, text: str) -> str | int | None:
    """What try_cast gives: the value, or nothing."""
    with contextlib.suppress(ValueError):
        return int(text) if kind is int else datetime.fromisoformat(text).isoformat(" ")
    return None


def verdicts(rows: list[source.Row]) -> Counter[str]:
    """Count the verdicts of the rules about these rows of raw files."""
    typed = []
    for row in rows:
        at = cast(datetime, row[1])
        day = cast(datetime, row[1][:10])
        # Spark reads an empty field as NULL.
        text = tuple(value or None for value in row)
        typed.append((*text, at, day and day[:10], cast(int, row[3]), cast(int, row[4])))
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.execute(f"CREATE TABLE typed ({', '.join(COLUMNS)})")
        database.executemany(f"INSERT INTO typed VALUES ({', '.join('?' * len(COLUMNS))})", typed)
        judged = f"SELECT *, {rules.REASON} AS reason FROM typed"
        numbered = f"SELECT *, {rules.NTH} AS nth FROM ({judged})"
        return Counter(dict(database.execute(f"SELECT {rules.VERDICT}, count(*) FROM ({numbered}) GROUP BY 1")))


def test_a_good_row_is_good() -> None:
    assert verdicts([GOOD]) == {"": 1}


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("trip_id", "", "missing_id"),
        ("fare_cents", "-1", "bad_fare"),
        ("fare_cents", "", "bad_fare"),
        ("fare_cents", "n/a", "bad_fare"),
        ("zone", "atlantis", "unknown_zone"),
        ("zone", "EAST", "unknown_zone"),
        ("zone", "", "unknown_zone"),
        ("picked_up_at", "2026-05-31T23:59:59", "bad_date"),
        ("picked_up_at", "2026-07-01T00:00:00", "bad_date"),
        ("picked_up_at", "2026-06-31T00:00:00", "bad_date"),
        ("picked_up_at", "yesterday", "bad_date"),
        ("picked_up_at", "", "bad_date"),
    ],
)
def test_each_fault_has_its_reason(column: str, value: str, reason: str) -> None:
    row = list(GOOD)
    row[source.COLUMNS.index(column)] = value
    assert verdicts([tuple(row)]) == {reason: 1}


@pytest.mark.parametrize("moment", ["2026-06-01T00:00:00", "2026-06-30T23:59:59"])
def test_first_and_last_moment_are_good(moment: str) -> None:
    assert verdicts([(GOOD[0], moment, *GOOD[2:])]) == {"": 1}


def test_of_several_faults_the_first_rule_names_the_reason() -> None:
    assert verdicts([("", "yesterday", "atlantis", "", "-1")]) == {"missing_id": 1}
    assert verdicts([("trip-1", "yesterday", "atlantis", "", "-1")]) == {"bad_fare": 1}


def test_a_bad_row_does_not_take_the_id_of_a_good_one() -> None:
    assert verdicts([(*GOOD[:4], "-5"), GOOD, GOOD, (*GOOD[:4], "950")]) == {"bad_fare": 1, "": 1, "duplicate": 2}


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 1200), st.integers(0, 2**32))
def test_the_rules_find_what_the_source_spoiled(rows: int, seed: int) -> None:
    expected = figures.expected(rows, seed)
    found = verdicts([row for row, _fault in source.trips(rows, seed)])
    assert found == {"": expected.accepted, **expected.rejected}
