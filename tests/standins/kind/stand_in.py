# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What both stand-ins share: the state in files, and how they end."""

import fcntl
import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

HOME = Path(os.environ["STAND_IN_STATE"])
EMPTY = {
    "containers": {},
    "networks": [],
    "volumes": [],
    "images": [],
    "registry": [],
    "memory": 8 << 30,
    "answers": True,
}

# Until the end of the program: clusters are made in parallel.
LOCK = (HOME / "lock").open("w")
fcntl.flock(LOCK, fcntl.LOCK_EX)


def load() -> dict[str, Any]:
    """The whole state."""
    path = HOME / "state.json"
    return EMPTY | (json.loads(path.read_text()) if path.exists() else {})


def save(state: dict[str, Any]) -> None:
    """Write the state."""
    (HOME / "state.json").write_text(json.dumps(state, indent=1))


def note(program: str) -> None:
    """Write down the command."""
    with (HOME / "commands.log").open("a") as log:
        log.write(" ".join([program, *sys.argv[1:]]) + "\n")


def inside(container: str, path: str) -> Path:
    """Where a file of a container lies."""
    return HOME / "files" / container / path.lstrip("/")


def end(words: str, code: int = 1) -> NoReturn:
    """Refuse."""
    print(words, file=sys.stderr)
    sys.exit(code)


def option(name: str) -> list[str]:
    """The values of an option of the command line."""
    return [sys.argv[place + 1] for place, word in enumerate(sys.argv[:-1]) if word == name]
