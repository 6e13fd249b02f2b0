# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Lets every test import the collection by its full name, as Ansible does."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Before the import below, which reads the configuration; tests run from any directory.
os.environ["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")

from ansible.plugins.loader import init_plugin_loader  # noqa: E402
from hypothesis import settings  # noqa: E402

init_plugin_loader()
# Performance is measured by benchmarks; a slow machine is no fault of the code.
settings.register_profile("odp", deadline=None)
settings.load_profile("odp")
