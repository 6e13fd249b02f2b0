# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The pipelines are a project of their own; its pure part is imported from there."""

import sys

from repository import ROOT

sys.path.insert(0, str(ROOT / "pipelines/src"))
