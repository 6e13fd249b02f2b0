# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Why a kind cluster is not touched, each with what to do. Pure."""

from __future__ import annotations

from . import config as pure

_ACCEPT = "To accept that, run again with -e cluster_kind_recreate=true"


def foreign(engine: str, name: str, found: pure.Found) -> str:
    """Someone else made a cluster of this name."""
    return (
        f"{name}: {engine} has a kind cluster of this name that this fleet did not make "
        f"({', '.join(each.name for each in found.nodes)}). Give the cluster of the inventory another name, or remove "
        f"that one if nobody needs it: kind delete cluster --name {name}"
    )


def damaged(name: str, found: pure.Found, lost: str) -> str:
    """Containers of the cluster are gone."""
    return (
        f"{name}: it lacks {' and '.join(pure.missing(found))} that it was made with, and kind cannot add nodes. "
        f"It would be deleted and made anew, and lost would be {lost}. {_ACCEPT}."
    )


def changed(name: str, keys: list[str], lost: str) -> str:
    """The config is not the one that made the cluster."""
    return (
        f"{name}: its config was changed ({', '.join(keys)}), and kind cannot change a cluster. "
        f"It would be deleted and made anew, and lost would be {lost}. "
        f"{_ACCEPT}; to keep the cluster set the config back."
    )
