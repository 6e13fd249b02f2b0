# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Which file holds the host keys of existing hosts. Looks at paths only."""

from __future__ import annotations

from pathlib import Path

KNOWN_HOSTS = "existing_known_hosts"
# Its name in release 0.1.0: without it every recorded key would count as that of a first contact.
OLD = "given_known_hosts"


def known_hosts(state: Path) -> Path:
    """The file of recorded host keys in a fleet's state directory, whether it exists or not."""
    new, old = state / "ssh" / KNOWN_HOSTS, state / "ssh" / OLD
    return old if old.exists() and not new.exists() else new
