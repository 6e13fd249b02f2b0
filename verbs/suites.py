# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The suites of tests in tests/suites.yml, and which of them a change calls for. Run as a linter of that file."""

import hashlib
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "tests/suites.yml"


@dataclass(frozen=True)
class Suite:
    """One suite; tests/suites.yml says what each field means. `minutes` as measured on two cores."""

    name: str
    proves: str
    minutes: int
    core: bool = False
    tests: str = ""
    workers: int = 0
    artifacts: bool = False
    paths: tuple[str, ...] = ()

    def called_by(self, changed: Iterable[str]) -> bool:
        """Return whether one of the changed files is among the paths of the suite."""
        return any(_within(path, pattern) for path in changed for pattern in self.paths)


def _within(path: str, pattern: str) -> bool:
    return path == pattern or path.startswith(f"{pattern}/") or fnmatch(path, pattern)


def read(text: str) -> list[Suite]:
    """Return the suites in their order. Raises TypeError for an unknown or a missing key."""
    return [
        Suite(name, **{**each, "paths": tuple(each.get("paths", ()))}) for name, each in yaml.safe_load(text).items()
    ]


def problems(suites: Iterable[Suite], tracked: Iterable[str]) -> list[str]:
    """Return what is wrong with the suites: paths without a file, and suites that no change would call for."""
    files = list(tracked)
    found = []
    for suite in suites:
        if bool(suite.paths) == suite.core:
            found.append(f"{suite.name}: a suite is either core or has paths")
        named = [*suite.paths, *filter(None, [suite.tests])]
        found += [
            f"{suite.name}: no file is in {each}" for each in named if not any(_within(one, each) for one in files)
        ]
    return found


def shuffled(suites: Iterable[Suite], commit: str) -> list[Suite]:
    """Return the suites in an order that depends on the commit, so that over many commits every suite comes first."""
    return sorted(suites, key=lambda suite: hashlib.sha256(f"{commit} {suite.name}".encode()).digest())


def git(*arguments: str) -> list[str]:
    """Return the lines that git prints in this repository; none if it fails."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []


def changed(base: str) -> list[str]:
    """Return the files that differ from a revision, those that git does not track yet among them."""
    if not git("rev-parse", "--verify", "--quiet", f"{base}^{{commit}}"):
        sys.exit(
            f"odp: --base {base} is not a revision of this repository. Known tags: {', '.join(git('tag')) or 'none'}."
        )
    return git("diff", "--name-only", base) + git("ls-files", "--others", "--exclude-standard")


def main() -> int:
    """Print what is wrong with tests/suites.yml."""
    found = problems(read(FILE.read_text()), git("ls-files") + git("ls-files", "--others", "--exclude-standard"))
    print("\n".join(f"tests/suites.yml: {line}" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
