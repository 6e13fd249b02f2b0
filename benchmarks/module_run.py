# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Runs a module as Ansible does on the controller: in a fork of a process that has Ansible loaded."""

import contextlib
import importlib
import io
import json
import multiprocessing
import re
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from ansible.module_utils.testing import patch_module_args

MODULES = "ansible_collections.opendata.platform.plugins.modules"
FORK = multiprocessing.get_context("fork")


class Run(NamedTuple):
    """What a module said, and what its run took."""

    result: dict[str, Any]
    seconds: float  # from the fork to the end of the process
    processor_seconds: float
    own_seconds: float  # of the processor, without the imports
    peak_mib: float  # largest resident memory, with what it shares with its parent


def run_module(name: str, /, **options: Any) -> Run:
    """Run the module once. Raise RuntimeError with its words when it fails."""
    start = time.perf_counter()
    receiver, sender = FORK.Pipe(duplex=False)
    process = FORK.Process(target=_child, args=(sender, name, options))
    process.start()
    sender.close()
    result, *used = receiver.recv()
    process.join()
    if result.get("failed"):
        raise RuntimeError(f"{name}: {result['msg']}")
    return Run(result, time.perf_counter() - start, *used)


def _child(sender: Connection, name: str, options: dict[str, Any]) -> None:
    module = importlib.import_module(f"{MODULES}.{name}")
    imported, printed = time.process_time(), io.StringIO()
    with patch_module_args(options), contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        module.main()
    used = time.process_time()
    # Not ru_maxrss of getrusage: that of a child begins with its parent's.
    [peak] = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    sender.send((json.loads(printed.getvalue()), used, used - imported, int(peak) / 1024))
