# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Verbs test and lint: run the layers of tests in order, the cheap ones first, until one fails."""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Tests of one file stay together: some share a server that is slow to start.
PARALLEL = ("-n", "2", "--dist", "loadfile")
OPTIONS = {"unit": PARALLEL, "integration": PARALLEL}
LAYERS = ("lint", "sanity", "unit", "golden", "integration", "molecule", "e2e")
# Real API servers run from these; nothing happens where all of them are cached.
ARTIFACTS = ("ansible-playbook", "playbooks/artifacts.yml", "-i", "inventories/local")


def shell_scripts() -> list[str]:
    """List the scripts of the repository and those that roles install on machines."""
    places = [ROOT / "odp", ROOT / ".ci/run", *sorted(ROOT.glob("roles/*/files/*"))]
    return [str(path.relative_to(ROOT)) for path in places if path.read_bytes().startswith(b"#!/bin/sh")]


LINTERS = (
    ("ruff", "check"),
    ("ruff", "format", "--check"),
    ("mypy",),
    ("yamllint", "--strict", "."),
    ("shellcheck", *shell_scripts()),
    ("antsibull-changelog", "lint"),
    ("ansible-lint", "--offline", "--strict"),
)


def main() -> int:
    """Return 0 when every requested layer passed."""
    layers = sys.argv[1:] or LAYERS
    if unknown := [layer for layer in layers if layer not in LAYERS]:
        sys.exit(f"odp: there is no layer {', '.join(unknown)}. Known: {', '.join(LAYERS)}.")
    for layer in layers:
        start = time.monotonic()
        results = (run(*command) for command in commands(layer))
        # Every linter runs, also after one that fails.
        passed = all(list(results) if layer == "lint" else results)
        print(f"odp: {layer} {'passed' if passed else 'FAILED'} in {time.monotonic() - start:.0f} s", flush=True)
        if not passed:
            return 1
    return 0


def commands(layer: str) -> list[tuple[str, ...]]:
    """List the commands of a layer."""
    tests = ("pytest", f"tests/{layer}", *OPTIONS.get(layer, ()))
    return {
        "lint": [*LINTERS],
        "sanity": [("python", "verbs/sanity.py")],
        "integration": [ARTIFACTS, tests],
    }.get(layer, [tests])


def run(*command: str) -> bool:
    """Return whether a command of .venv succeeded."""
    print(f"odp: {' '.join(command)}", flush=True)
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    if command[0] == "ansible-lint":
        # ansible-lint ignores module_defaults, and reports a missing token in every task of hetzner.hcloud.
        environment["HCLOUD_TOKEN"] = "none"
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
