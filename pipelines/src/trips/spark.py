# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The work that Spark does. A plan holds all that it needs (no temporary views): the client may send it again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from trips import rules
from trips.source import COLUMNS


@contextmanager
def session() -> Iterator[SparkSession]:
    """Connect to the server that SPARK_REMOTE names."""
    spark = SparkSession.builder.remote(os.environ["SPARK_REMOTE"]).create()
    try:
        yield spark
    finally:
        spark.client.close()


def checked(spark: SparkSession, raw: str) -> DataFrame:
    """Read the raw files; the column `reason` says what is wrong with a row."""
    text = spark.read.csv(f"s3://{raw}/", schema=", ".join(f"{name} STRING" for name in COLUMNS), header=True)
    judged = text.withColumns({name: F.expr(sql) for name, sql in rules.TYPED.items()})
    judged = judged.withColumn("reason", F.expr(rules.REASON)).withColumn("nth", F.expr(rules.NTH))
    return judged.withColumn("reason", F.expr(rules.VERDICT))


def accepted(rows: DataFrame) -> DataFrame:
    """Keep the good rows, typed."""
    return rows.where("reason = ''").selectExpr(
        "trip_id", "at AS picked_up_at", "zone", "distance AS distance_m", "fare AS fare_cents", "day"
    )


def rejected(rows: DataFrame) -> DataFrame:
    """Keep the others as they came, with the reason."""
    return rows.where("reason != ''").select(*COLUMNS, "reason")


def daily_fares(spark: SparkSession, trips: str) -> DataFrame:
    """Sum the trips of a table's version by day and zone."""
    rows = spark.read.parquet(f"s3://{trips}/").withColumn("day", F.expr("CAST(day AS date)"))
    sums = (F.count(F.lit(1)).alias("trips"), F.sum("fare_cents").alias("fare_cents"))
    return rows.groupBy("day", "zone").agg(*sums)


def write(rows: DataFrame, folder: str, by: str | None = None) -> None:
    """Write Parquet files; with `by` a folder for each value of that column, with one file."""
    writer = (rows.repartition(by).write.partitionBy(by) if by else rows.write).mode("overwrite")
    writer.parquet(f"s3://{folder}/")
