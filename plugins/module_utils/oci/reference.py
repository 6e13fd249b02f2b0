# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The name of an artifact in a registry."""

from __future__ import annotations

import re
from typing import NamedTuple

# As the distribution specification has them; a registry answers 404 to any other name, without saying why.
_HOST = r"(?P<registry>(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?)"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(rf"{_HOST}/(?P<repository>{_PART}(?:/{_PART})*):(?P<tag>[A-Za-z0-9_][A-Za-z0-9._+-]{{0,127}})")


class Reference(NamedTuple):
    """Where an artifact is: host and port of the registry, repository in it, tag."""

    registry: str
    repository: str
    tag: str

    def __str__(self) -> str:
        """Return it as people write it."""
        return f"{self.registry}/{self.repository}:{self.tag}"


def parse(text: str) -> Reference:
    """Return the parts; a tag with ``+`` gets ``_`` as Helm does it. Raise ValueError for what is no reference."""
    found = _REFERENCE.fullmatch(text)
    if not found:
        raise ValueError(
            f"reference '{text}' is not host:port/repository:tag: write it without oci:// and digest, with a tag, "
            "and the repository in lower case"
        )
    return Reference(found["registry"], found["repository"], found["tag"].replace("+", "_"))
