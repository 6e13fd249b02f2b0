# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What makes a row good, as SQL that any engine reads. The first rule that matches names the reason."""

from __future__ import annotations

from trips.source import FIRST_DAY, LAST_DAY, ZONES

# The columns as the rules see them: the raw text, and beside it what could be read from it.
TYPED = {
    "at": "try_cast(picked_up_at AS timestamp)",
    "day": "try_cast(substring(picked_up_at, 1, 10) AS date)",
    "distance": "try_cast(distance_m AS bigint)",
    "fare": "try_cast(fare_cents AS bigint)",
}
RULES = {
    "missing_id": "trip_id IS NULL OR trip_id = ''",
    "bad_fare": "fare IS NULL OR fare < 0",
    "unknown_zone": f"zone IS NULL OR zone NOT IN {ZONES!r}",
    "bad_date": f"at IS NULL OR day IS NULL OR day < '{FIRST_DAY}' OR day > '{LAST_DAY}'",
}
REASON = f"CASE {' '.join(f"WHEN {rule} THEN '{reason}'" for reason, rule in RULES.items())} ELSE '' END"
# Of good rows with one trip_id the first counts; the order is by value, so that every run chooses the same.
ORDER = ("picked_up_at", "zone", "fare", "distance_m")
NTH = f"row_number() OVER (PARTITION BY trip_id, reason ORDER BY {', '.join(ORDER)})"
VERDICT = "CASE WHEN reason = '' AND nth > 1 THEN 'duplicate' ELSE reason END"
