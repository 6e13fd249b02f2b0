# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The code location: `dagster api grpc -m trips.definitions`."""

from __future__ import annotations

import dagster as dg

from trips import assets

JOB = dg.define_asset_job("trips", description="Raw files to the mart, everything checked.")

defs = dg.Definitions(
    assets=dg.load_assets_from_modules([assets]),
    asset_checks=dg.load_asset_checks_from_modules([assets]),
    jobs=[JOB],
    resources={"dataset": assets.Dataset.configure_at_launch()},
    # A run is one pod: its steps share that process.
    executor=dg.in_process_executor,
)
