# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The pipelines are a project of their own; its pure part is imported from there."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "pipelines/src"))
