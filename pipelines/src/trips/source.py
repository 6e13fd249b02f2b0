# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The outside world: trips of a city's taxis as their source would deliver them, with faults whose number is known."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import islice

COLUMNS = ("trip_id", "picked_up_at", "zone", "distance_m", "fare_cents")
ZONES = ("airport", "castle", "docks", "east", "fair", "garden", "hill", "island", "market", "north", "river", "south")
FIRST_DAY, LAST_DAY = "2026-06-01", "2026-06-30"
FAULTS = ("missing_id", "bad_fare", "unknown_zone", "bad_date", "duplicate")
# Each fault occurs once in a block of so many rows.
BLOCK = 100
FILES = 8
# A duplicate repeats one of so many good rows, so that it may come in a later file.
_REMEMBERED = 50_000
_MOMENTS = [
    (datetime.fromisoformat(FIRST_DAY) + timedelta(minutes=minute)).isoformat()
    for minute in range((date.fromisoformat(LAST_DAY) - date.fromisoformat(FIRST_DAY)).days * 1440 + 1440)
]

Row = tuple[str, str, str, str, str]


def trips(rows: int, seed: int) -> Iterator[tuple[Row, str]]:
    """Yield each row with its fault ('' for a good row); the same arguments give the same rows."""
    dice = random.Random(seed)
    good: list[Row] = []
    faulty: dict[int, str] = {}
    for number in range(rows):
        place = number % BLOCK
        if place == 0:
            # Never the first: a duplicate has something to repeat.
            faulty = dict(zip(dice.sample(range(1, BLOCK), len(FAULTS)), FAULTS, strict=True))
        fault = faulty.get(place, "")
        row = dice.choice(good) if fault == "duplicate" else _spoiled(_trip(number, dice), fault, dice)
        if not fault and len(good) < _REMEMBERED:
            good.append(row)
        yield row, fault


def files(rows: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each CSV file."""
    source = trips(rows, seed)
    for number in range(FILES):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        share = rows * (number + 1) // FILES - rows * number // FILES
        writer.writerows(row for row, _fault in islice(source, share))
        yield f"trips-{number}.csv", text.getvalue().encode()


def _trip(number: int, dice: random.Random) -> Row:
    """Return a good row."""
    # A million times: random() is several times faster than choice() and randrange().
    distance = 300 + int(dice.random() * 30_000)
    fare = 350 + distance // 5 + int(dice.random() * 500)
    picked_up_at = _MOMENTS[int(dice.random() * len(_MOMENTS))]
    return f"trip-{number:08d}", picked_up_at, ZONES[int(dice.random() * len(ZONES))], str(distance), str(fare)


def _spoiled(row: Row, fault: str, dice: random.Random) -> Row:
    """Return the row with that fault, in one of the shapes that it has in real files."""
    trip_id, picked_up_at, zone, distance, fare = row
    if fault == "missing_id":
        trip_id = ""
    elif fault == "bad_fare":
        fare = dice.choice((f"-{fare}", "", "n/a"))
    elif fault == "unknown_zone":
        zone = dice.choice(("atlantis", "", zone.upper()))
    elif fault == "bad_date":
        clock = picked_up_at[10:]
        picked_up_at = dice.choice(("2026-05-31" + clock, "2026-07-01" + clock, "2026-06-31" + clock, "yesterday", ""))
    return trip_id, picked_up_at, zone, distance, fare
