# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Verbs test and lint: run suites of tests, and print one table of them."""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import leftovers
import suites
from suites import ROOT, Suite

# Real API servers and fleets run from these; nothing happens where all of them are cached.
ARTIFACTS = ("ansible-playbook", "playbooks/artifacts.yml", "-i", "inventories/local")
# Of what a suite takes elsewhere: on a busy machine it needs more.
SPARE = 1.1


@dataclass
class Result:
    """How a suite ended; `why` says why it was not run."""

    suite: Suite
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0
    why: str = ""


def shell_scripts() -> list[str]:
    """List the scripts of the repository, and those in images and on machines."""
    places = [ROOT / "odp", ROOT / ".ci/run", *sorted(ROOT.glob("roles/*/files/*")), *sorted(ROOT.glob("images/*/*"))]
    return [
        str(path.relative_to(ROOT)) for path in places if path.is_file() and path.read_bytes().startswith(b"#!/bin/sh")
    ]


LINTERS = (
    ("ruff", "check"),
    ("ruff", "format", "--check"),
    ("mypy",),
    ("yamllint", "--strict", "."),
    ("shellcheck", *shell_scripts()),
    ("antsibull-changelog", "lint"),
    ("python", "verbs/suites.py"),
    ("ansible-lint", "--offline", "--strict"),
    ("python", "verbs/sanity.py"),
)


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="odp test", description=__doc__)
    parser.add_argument("suites", nargs="*", help="names of suites, or all, or changed (default: the core suites)")
    parser.add_argument("--base", help="the revision that a change is compared with (default: the last tag)")
    parser.add_argument("--minutes", type=float, help="after the core suites, run as many others as end in that time")
    return parser.parse_args()


def main() -> int:
    """Return 0 when every suite that ran passed."""
    wanted = arguments()
    known = suites.read(suites.FILE.read_text())
    with watched():
        results = list(run_all(known, wanted, time.monotonic()))
    print("\n".join(table(results)), flush=True)
    return 1 if any(each.failed for each in results) else 0


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """Let leftovers.py clean up if this process is killed, or interrupted, within the block."""
    run = str(uuid.uuid4())
    command = [sys.executable, leftovers.__file__, run]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True) as watcher:
        os.environ[leftovers.MARK] = run
        yield
        watcher.communicate(leftovers.DONE)


def run_all(known: list[Suite], wanted: argparse.Namespace, start: float) -> Iterator[Result]:
    """Run what is wanted; after a failure of a core suite nothing else."""
    failed = ""
    for suite in chosen(known, wanted):
        left = (wanted.minutes or float("inf")) - (time.monotonic() - start) / 60
        if failed:
            yield Result(suite, why=f"{failed} failed")
        elif not suite.core and suite.minutes * SPARE > left:
            yield Result(suite, why=f"{left:.0f} minutes were left, it needs {suite.minutes * SPARE:.0f}")
        else:
            result = run(suite)
            failed = suite.name if suite.core and result.failed else ""
            yield result


def chosen(known: list[Suite], wanted: argparse.Namespace) -> list[Suite]:
    """Return the suites to run in their order. Exits for an unknown name."""
    names = {suite.name: suite for suite in known}
    core, others = [each for each in known if each.core], [each for each in known if not each.core]
    if unknown := [name for name in wanted.suites if name not in {*names, "all", "changed"}]:
        sys.exit(f"odp: there is no suite {', '.join(unknown)}. Known: {', '.join(names)}, all, changed.")
    if "all" in wanted.suites:
        return known
    base = wanted.base or next(iter(suites.git("describe", "--tags", "--abbrev=0")), "")
    changed = suites.changed(base) if base else []
    called = [each for each in others if not base or each.called_by(changed)]
    if wanted.minutes and not wanted.suites:
        commit = "".join(suites.git("rev-parse", "HEAD"))
        rest = [each for each in others if each not in called]
        return [*core, *suites.shuffled(called, commit), *suites.shuffled(rest, commit)]
    if "changed" in wanted.suites:
        return called
    return [names[name] for name in wanted.suites] or core


def run(suite: Suite) -> Result:
    """Run one suite."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        result = Result(suite)
        if suite.artifacts and not command(*ARTIFACTS):
            result.failed = 1
        elif suite.tests:
            workers = ("-n", str(suite.workers), "--dist", "loadfile") if suite.workers else ()
            passed = command("pytest", suite.tests, *workers, f"--junitxml={report}")
            count(report, result)
            # What no test is blamed for, such as a skip that nobody expected.
            result.failed = result.failed or int(not passed)
        else:
            # Every linter runs, also after one that fails.
            done = [command(*each) for each in LINTERS]
            result.passed, result.failed = done.count(True), done.count(False)
    result.seconds = time.monotonic() - start
    print(f"odp: {suite.name} {'FAILED' if result.failed else 'passed'} in {result.seconds:.0f} s", flush=True)
    return result


def count(report: Path, result: Result) -> None:
    """Read the counts of a report in JUnit's format, if pytest came to write one."""
    for suite in ElementTree.parse(report).iter("testsuite") if report.exists() else ():
        number = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
        result.failed += number["failures"] + number["errors"]
        result.skipped += number["skipped"]
        result.passed += number["tests"] - number["failures"] - number["errors"] - number["skipped"]


def command(*words: str) -> bool:
    """Return whether a command of .venv succeeded."""
    print(f"odp: {' '.join(words)}", flush=True)
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    if words[0] == "ansible-lint":
        # ansible-lint ignores module_defaults, and reports a missing token in every task of hetzner.hcloud.
        environment["HCLOUD_TOKEN"] = "none"
    return subprocess.run(words, cwd=ROOT, env=environment, check=False).returncode == 0


def table(results: list[Result]) -> list[str]:
    """Return the lines of the table."""
    rows = [("suite", "passed", "failed", "skipped", "minutes", "not run because")]
    rows += [
        (each.suite.name, "-", "-", "-", "-", each.why)
        if each.why
        else (each.suite.name, f"{each.passed}", f"{each.failed}", f"{each.skipped}", f"{each.seconds / 60:.1f}", "")
        for each in results
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


if __name__ == "__main__":
    sys.exit(main())
