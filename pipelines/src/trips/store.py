# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The object store, and tables in it that are replaced at once although it cannot rename."""

from __future__ import annotations

import json
import os
import secrets
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow import fs


def object_store() -> fs.FileSystem:
    """Return the store that the AWS_* variables of the environment name; the keys are read by the library itself."""
    missing = [name for name in ("AWS_ENDPOINT_URL", "AWS_REGION") if not os.environ.get(name)]
    if missing:
        raise RuntimeError(f"{' and '.join(missing)} not set: the Secret of the service's buckets has them")
    endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL"])
    return fs.S3FileSystem(
        endpoint_override=endpoint.netloc,
        scheme=endpoint.scheme,
        region=os.environ["AWS_REGION"],
        connect_timeout=10,
        request_timeout=60,
    )


class Table:
    """Parquet files below a folder. Each write has a folder of its own, and the small object `current.json` names
    the one that counts: it is written last, so that a write that died half-way is never read. What no longer counts
    is removed by the next write, but for the version just replaced, which somebody may still be reading.
    """

    def __init__(self, store: fs.FileSystem, path: str) -> None:
        """path: bucket and folder."""
        self.store, self.path = store, path
        self._pointer = f"{path}/current.json"

    def new_version(self) -> str:
        """Return a folder that nobody has written to, not even an earlier attempt of the same run."""
        return f"{self.path}/{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"

    def files(self, version: str) -> list[str]:
        """Return the paths of a version's Parquet files."""
        found = self.store.get_file_info(fs.FileSelector(version, allow_not_found=True, recursive=True))
        return sorted(info.path for info in found if info.path.endswith(".parquet"))

    def rows(self, version: str) -> int:
        """Count the rows by the files' own footers."""
        return ds.dataset(files, filesystem=self.store).count_rows() if (files := self.files(version)) else 0

    def publish(self, version: str) -> None:
        """Make this version the one that counts, and remove those that no longer do."""
        previous = self.current()
        with self.store.open_output_stream(self._pointer) as stream:
            stream.write(json.dumps({"version": version}).encode())
        for info in self.store.get_file_info(fs.FileSelector(self.path)):
            if info.type == fs.FileType.Directory and info.path not in (version, previous):
                self.store.delete_dir(info.path)

    def current(self) -> str | None:
        """Return the folder of the version that counts; None before the first."""
        try:
            with self.store.open_input_stream(self._pointer) as stream:
                return json.loads(stream.read())["version"]
        except FileNotFoundError:
            return None

    def read(self, schema: pa.Schema) -> pa.Table:
        """Return these columns of the version that counts; names of folders (`day=2026-06-01`) are columns too."""
        version = self.current()
        if version is None:
            raise FileNotFoundError(f"{self._pointer} is not there: no run has finished this table yet")
        partitioning = ds.partitioning(schema, flavor="hive")
        files = self.files(version)
        if not files:
            return schema.empty_table()
        return ds.dataset(files, schema, filesystem=self.store, format="parquet", partitioning=partitioning).to_table()
