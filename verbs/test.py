# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Verbs test and lint: the layers in order, the cheap ones first; stops after the first layer that fails."""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Tests of one file stay together: some share a server that is slow to start.
OPTIONS = {"unit": ("-n", "2", "--dist", "loadfile")}
LAYERS = ("lint", "unit", "golden", "molecule", "e2e")


def shell_scripts() -> list[str]:
    """The scripts of the repository and those that roles put on machines."""
    places = [ROOT / "odp", ROOT / ".ci/run", *sorted(ROOT.glob("roles/*/files/*"))]
    return [str(path.relative_to(ROOT)) for path in places if path.read_bytes().startswith(b"#!/bin/sh")]


LINTERS = (
    ("ruff", "check"),
    ("ruff", "format", "--check"),
    ("yamllint", "--strict", "."),
    ("shellcheck", *shell_scripts()),
    ("ansible-lint", "--offline", "--strict"),
)


def main() -> int:
    """0 when every layer asked for passed."""
    layers = sys.argv[1:] or LAYERS
    if unknown := [layer for layer in layers if layer not in LAYERS]:
        sys.exit(f"odp: there is no layer {', '.join(unknown)}. Known: {', '.join(LAYERS)}.")
    for layer in layers:
        start = time.monotonic()
        passed = lint() if layer == "lint" else run("pytest", f"tests/{layer}", *OPTIONS.get(layer, ()))
        print(f"odp: {layer} {'passed' if passed else 'FAILED'} in {time.monotonic() - start:.0f} s", flush=True)
        if not passed:
            return 1
    return 0


def lint() -> bool:
    """Every linter, also after one that failed."""
    results = [run(*linter) for linter in LINTERS]
    return all(results)


def run(*command: str) -> bool:
    """Whether a command of .venv succeeded."""
    print(f"odp: {' '.join(command)}", flush=True)
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    if command[0] == "ansible-lint":
        # It does not see what module_defaults give, and misses a token in every task of hetzner.hcloud.
        environment["HCLOUD_TOKEN"] = "none"
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
