# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Benchmarks, run by hand: lets them import the collection by its full name and the helpers of the tests."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
# Before the import below, which reads the configuration.
os.environ["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")

from ansible.plugins.loader import init_plugin_loader  # noqa: E402

init_plugin_loader()
