# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""End forked processes with the process that forked them."""

from __future__ import annotations

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Let the kernel kill this process when the thread that forked it ends, however that ends; Linux only.

    Source: prctl(2), PR_SET_PDEATHSIG. Programs that this process starts do not inherit it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
