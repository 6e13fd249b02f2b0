# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Filters of role flux: doors to the pure rules of its installation."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.opendata.platform.plugins.module_utils import _flux_install as rules


class FilterModule:
    """Filters for what is installed and what cannot be had."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"flux_install": rules.install, "flux_waiting": rules.waiting}
