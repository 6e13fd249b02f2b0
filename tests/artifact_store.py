# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What playbooks/artifacts.yml builds or downloads into the artifact store."""

import os
from pathlib import Path

STORE = Path(os.environ.get("ODP_CACHE", Path.home() / ".cache/odp")) / "artifacts"


def newest(pattern: str) -> Path:
    """The newest path of the artifact store that matches a pattern such as ``*/helm``; fails where there is none."""
    found = sorted(STORE.glob(pattern), key=lambda path: path.stat().st_mtime)
    assert found, f"no {pattern} in {STORE}: ansible-playbook -i inventories/local playbooks/artifacts.yml builds it"
    return found[-1]
