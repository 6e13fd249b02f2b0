# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Where the repository under test lies."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"
