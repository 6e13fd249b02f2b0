# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Tables that are replaced at once: what died half-way is never read, and is gone after the next write."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from pyarrow import fs

from trips.store import Table

SCHEMA = pa.schema([("day", pa.string()), ("cents", pa.int64())])


class Killed(Exception):
    """The process ends here."""


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """A table on local files, where the bucket must be a folder."""
    (tmp_path / "lake/trips").mkdir(parents=True)
    return Table(fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem()), "lake/trips")


def write(table: Table, *cents: int) -> str:
    """Write one day's rows as a new version, which nobody reads yet."""
    version = table.new_version()
    rows = pa.table({"day": ["2026-06-01"] * len(cents), "cents": list(cents)}, SCHEMA)
    partitioning = ds.partitioning(pa.schema([SCHEMA.field("day")]), flavor="hive")
    ds.write_dataset(rows, version, filesystem=table.store, format="parquet", partitioning=partitioning)
    return version


def cents(table: Table) -> list[int]:
    return sorted(table.read(SCHEMA)["cents"].to_pylist())


def versions(table: Table) -> set[str]:
    found = table.store.get_file_info(fs.FileSelector(table.path))
    return {info.path for info in found if info.type == fs.FileType.Directory}


def test_a_table_before_its_first_write_says_so(table: Table) -> None:
    with pytest.raises(FileNotFoundError, match=r"lake/trips/current\.json is not there: no run has finished"):
        table.read(SCHEMA)


def test_a_published_version_is_read_with_the_columns_of_its_folders(table: Table) -> None:
    table.publish(write(table, 3, 5))
    assert table.read(SCHEMA).to_pylist() == [{"day": "2026-06-01", "cents": 3}, {"day": "2026-06-01", "cents": 5}]
    assert table.rows(table.current()) == 2


def test_a_write_that_died_is_not_read_and_is_gone_after_the_next(table: Table) -> None:
    first = write(table, 3)
    table.publish(first)
    write(table, 7, 8)
    assert cents(table) == [3]
    second = write(table, 4)
    table.publish(second)
    assert cents(table) == [4]
    assert versions(table) == {first, second}


def test_the_version_just_replaced_stays_for_its_readers_and_no_longer(table: Table) -> None:
    written = []
    for number in range(4):
        written.append(write(table, number))
        table.publish(written[-1])
    assert versions(table) == set(written[2:])


@pytest.mark.parametrize("method", ["open_output_stream", "delete_dir"])
def test_a_kill_while_publishing_leaves_one_version_or_the_other(table: Table, method: str) -> None:
    table.publish(write(table, 1))
    table.publish(write(table, 2))

    class Dying:
        """The store, until the process is killed in this call."""

        def __getattr__(self, name: str) -> Any:
            if name == method:
                raise Killed
            return getattr(store, name)

    store, new = table.store, write(table, 3)
    table.store = Dying()
    with pytest.raises(Killed):
        table.publish(new)
    table.store = store
    assert cents(table) == ([2] if method == "open_output_stream" else [3])
    table.publish(write(table, 4))
    assert cents(table) == [4]
    assert len(versions(table)) == 2


def test_publishing_twice_keeps_what_counts(table: Table) -> None:
    version = write(table, 1)
    table.publish(version)
    table.publish(version)
    assert cents(table) == [1]


def test_a_version_without_rows_is_an_empty_table(table: Table) -> None:
    table.publish(table.new_version())
    assert table.read(SCHEMA).num_rows == 0
    assert table.rows(table.current()) == 0
