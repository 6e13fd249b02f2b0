# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What the data path makes, in the order of its needs. Each asset may be made again at any time."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
from pyarrow import fs
from pydantic import Field

from trips import source, spark
from trips.store import object_store
from trips.tables import Tables

# One run at a time writes: a second one could remove what the first has not published yet.
POOL = "trips"
# Long enough for a Spark server that has to start again.
RETRIES = dg.RetryPolicy(max_retries=3, delay=10, backoff=dg.Backoff.EXPONENTIAL)


class Dataset(dg.ConfigurableResource):
    """What a run may be asked for."""

    name: str = Field(default="trips", pattern="^[a-z0-9][a-z0-9-]*$", description="folder in each bucket")
    rows: int = Field(default=1000, ge=1, le=10_000_000, description="rows of the raw files, good and bad")
    seed: int = Field(default=7, description="another seed gives other rows")

    def tables(self) -> Tables:
        """Return the parts of this data set in the object store."""
        return Tables(object_store(), self.name)


@dg.asset(pool=POOL, retry_policy=RETRIES, kinds={"csv"})
def raw_trips(dataset: Dataset) -> dg.MaterializeResult:
    """Raw files as they arrive. Yours come from elsewhere: replace this asset by an external one."""
    tables = dataset.tables()
    names = set()
    for name, content in source.files(dataset.rows, dataset.seed):
        with tables.store.open_output_stream(f"{tables.raw}/{name}") as stream:
            stream.write(content)
        names.add(name)
    for info in tables.store.get_file_info(fs.FileSelector(tables.raw)):
        if info.base_name not in names:
            tables.store.delete_file(info.path)
    return dg.MaterializeResult(metadata={"rows": dataset.rows, "files": len(names)})


@dg.multi_asset(
    specs=[
        dg.AssetSpec("trips", deps=[raw_trips], kinds={"parquet"}, description="Good trips, by day."),
        dg.AssetSpec("rejected_trips", deps=[raw_trips], kinds={"parquet"}, description="Bad rows, by reason."),
    ],
    pool=POOL,
    retry_policy=RETRIES,
)
def checked_trips(dataset: Dataset) -> Iterator[dg.MaterializeResult]:
    """Check every raw row; nothing is published unless each row went to exactly one side."""
    tables = dataset.tables()
    good, bad = tables.trips.new_version(), tables.rejected.new_version()
    with spark.session() as session:
        rows = spark.checked(session, tables.raw)
        spark.write(spark.accepted(rows), good, by="day")
        spark.write(spark.rejected(rows), bad, by="reason")
    counts = {"raw": tables.raw_rows(), "good": tables.trips.rows(good), "bad": tables.rejected.rows(bad)}
    if counts["raw"] != counts["good"] + counts["bad"]:
        raise dg.Failure(f"Rows were lost or doubled, nothing is published: {counts}. Run again.")
    tables.rejected.publish(bad)
    tables.trips.publish(good)
    yield dg.MaterializeResult("rejected_trips", metadata={"rows": counts["bad"]})
    yield dg.MaterializeResult("trips", metadata={"rows": counts["good"]})


@dg.asset(deps=["trips"], pool=POOL, retry_policy=RETRIES, kinds={"parquet"})
def daily_fares(dataset: Dataset) -> dg.MaterializeResult:
    """Trips and fares by day and zone."""
    tables = dataset.tables()
    version = tables.daily.new_version()
    with spark.session() as session:
        spark.write(spark.daily_fares(session, tables.trips.current()), version)
    tables.daily.publish(version)
    return dg.MaterializeResult(metadata={"rows": tables.daily.rows(version)})


@dg.asset_check(asset="trips", blocking=True)
def each_trip_once(dataset: Dataset) -> dg.AssetCheckResult:
    """No id is in the lake twice."""
    rows, ids, _cents = dataset.tables().accepted()
    return dg.AssetCheckResult(passed=rows == ids, metadata={"rows": rows, "ids": ids})


@dg.asset_check(asset=daily_fares)
def sums_agree(dataset: Dataset) -> dg.AssetCheckResult:
    """The mart has every trip and every cent of the lake, as an engine beside Spark reads them."""
    tables = dataset.tables()
    rows, _ids, cents = tables.accepted()
    mart = [sum(column) for column in zip(*tables.mart().values(), strict=True)]
    return dg.AssetCheckResult(passed=mart == [rows, cents], metadata={"lake": [rows, cents], "mart": mart})
