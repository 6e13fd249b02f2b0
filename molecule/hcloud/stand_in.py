# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The stand-in for Hetzner Cloud as a program.

stand_in.py PORT LOG    serves on 127.0.0.1:PORT until SIGTERM; each request that may change something is a line of LOG
"""

import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from standins.hcloud.server import Exchange, StandIn


class Recorder(StandIn):
    """Writes down what clients want changed."""

    def __init__(self, port: int, log: Path) -> None:
        super().__init__(port)
        self._log = log.open("w", buffering=1)

    def exchange(self, method: str, path: str, *rest: Any) -> Exchange:
        if method != "GET":
            print(method, path, file=self._log)
        return super().exchange(method, path, *rest)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with Recorder(int(sys.argv[1]), Path(sys.argv[2])):
        signal.pause()
