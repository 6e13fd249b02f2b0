# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Makes the verbs importable."""

import sys

from repository import ROOT

sys.path.append(str(ROOT / "verbs"))
