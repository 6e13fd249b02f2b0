# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Prove the data path: run it by Dagster, then compare what lies in the object store with what was known before.

With --peer nothing is run: the mart is checked, and one object written and read, as another cluster would.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import time
from collections.abc import Iterator

from trips import report
from trips.dagster_api import Dagster
from trips.figures import Figures, expected, mart_summary
from trips.report import Measure
from trips.store import object_store
from trips.tables import Tables


def main() -> None:
    """Print the report; exit with 0 only when every line is right."""
    options = _options()
    tables = Tables(object_store(), options.dataset)
    figures = expected(options.rows, options.seed)
    found = report.lines(_peer(tables, figures) if options.peer else _whole(tables, figures, options))
    ok = all(line["ok"] for line in found)
    print(json.dumps({"ok": ok, "checks": found}) if options.json else "\n".join(report.table(found)))
    sys.exit(0 if ok else 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m trips.verify", description=__doc__)
    parser.add_argument("--rows", type=int, default=1000, help="rows of the raw files, good and bad")
    parser.add_argument("--seed", type=int, default=7, help="another seed gives other rows")
    parser.add_argument("--dataset", default="trips", help="folder in each bucket")
    parser.add_argument("--timeout", type=float, default=900, help="seconds until the run must have ended")
    parser.add_argument("--peer", action="store_true", help="run nothing: check the mart, write and read one object")
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser.parse_args()


def _run(options: argparse.Namespace) -> str:
    """Run the job through DAGSTER_URL to its end."""
    dagster = Dagster(os.environ.get("DAGSTER_URL", ""))
    dataset = {"name": options.dataset, "rows": options.rows, "seed": options.seed}
    config = {"resources": {"dataset": {"config": dataset}}}
    deadline = time.monotonic() + options.timeout
    run = dagster.launch("trips", config, options.timeout)
    return dagster.wait(run, deadline - time.monotonic())


def _whole(tables: Tables, figures: Figures, options: argparse.Namespace) -> Iterator[Measure]:
    yield "run", "SUCCESS", lambda: _run(options)
    yield "raw rows", figures.raw, tables.raw_rows
    accepted = {"rows": figures.accepted, "ids": figures.accepted, "fare_cents": figures.fare_cents}
    yield "accepted trips", accepted, lambda: dict(zip(accepted, tables.accepted(), strict=True))
    yield (
        "rejected rows",
        dict(sorted(figures.rejected.items())),
        lambda: dict(sorted(tables.rejected_by_reason().items())),
    )
    yield "mart", mart_summary(figures.daily), lambda: mart_summary(tables.mart())


def _peer(tables: Tables, figures: Figures) -> Iterator[Measure]:
    yield "mart", mart_summary(figures.daily), lambda: mart_summary(tables.mart())
    token = secrets.token_hex(16)
    yield "object", token, lambda: _round_trip(tables, token)


def _round_trip(tables: Tables, token: str) -> str:
    """Write an object, read it back, remove it."""
    path = f"{tables.daily.path}-probe-{token}"
    with tables.store.open_output_stream(path) as stream:
        stream.write(token.encode())
    with tables.store.open_input_stream(path) as stream:
        found = stream.read().decode()
    tables.store.delete_file(path)
    return found


if __name__ == "__main__":
    main()
