# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Documentation that all modules share that only read."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes; a module that says more about check mode overrides its description."""

    DOCUMENTATION = """
attributes:
  check_mode: {description: Only reads., support: full}
  diff_mode: {description: Only reads., support: none}
author: [Open Data Platform contributors (@opendata)]
"""
