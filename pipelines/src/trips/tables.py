# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Where the parts of a data set lie, and what a reader without Spark finds there."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyarrow import fs

from trips.store import Table

_TRIPS = pa.schema([("trip_id", pa.string()), ("fare_cents", pa.int64())])
_REJECTED = pa.schema([("reason", pa.string())])
_DAILY = pa.schema([("day", pa.date32()), ("zone", pa.string()), ("trips", pa.int64()), ("fare_cents", pa.int64())])


class Tables:
    """The parts of one data set."""

    def __init__(self, store: fs.FileSystem, name: str) -> None:
        """name: folder of the data set, the same in each bucket."""
        self.store = store
        self.raw = f"raw/{name}"
        self.trips = Table(store, f"lake/{name}/trips")
        self.rejected = Table(store, f"quarantine/{name}/trips")
        self.daily = Table(store, f"lake/{name}/daily_fares")

    def raw_rows(self) -> int:
        """Count the rows of the raw files."""
        return ds.dataset(self.raw, filesystem=self.store, format="csv").count_rows()

    def accepted(self) -> tuple[int, int, int]:
        """Return rows, different ids and the sum of the fares of the accepted trips."""
        found = self.trips.read(_TRIPS)
        return found.num_rows, pc.count_distinct(found["trip_id"]).as_py(), pc.sum(found["fare_cents"]).as_py() or 0

    def rejected_by_reason(self) -> Counter[str]:
        """Count the rejected rows of each reason."""
        counts = self.rejected.read(_REJECTED).group_by("reason").aggregate([([], "count_all")])
        return Counter({row["reason"]: row["count_all"] for row in counts.to_pylist()})

    def mart(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Return trips and fares by day and zone."""
        rows = self.daily.read(_DAILY).to_pylist()
        found = {(str(row["day"]), row["zone"]): (row["trips"], row["fare_cents"]) for row in rows}
        if len(found) != len(rows):
            raise ValueError(f"{self.daily.path} has {len(rows)} rows, but {len(found)} pairs of day and zone")
        return found
