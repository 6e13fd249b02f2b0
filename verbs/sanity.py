# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Layer sanity: run `ansible-test sanity` on the collection as its users install it.

ansible-test needs a real directory named ansible_collections/opendata/platform, not a link to the clone. Its virtual
environments are kept in ~/.cache/odp/ansible-test: only the first run installs their packages, from PyPI.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from types import SimpleNamespace

from ansible_test._internal.python_requirements import get_venv_packages

ROOT = Path(__file__).resolve().parents[1]
HOME = Path("~/.cache/odp/ansible-test").expanduser()
# Rules for modules alone, which our code on the controller breaks on purpose, as by subprocess; ansible-lint's profile
# production permits no line for them in an ignore file. Ruff and mypy check the rest of what pylint would.
SKIPPED = ("pylint", "replace-urlopen", "use-argspec-type-path")
# ansible-test otherwise downloads get-pip.py from a site of its own.
GET_PIP = """\
import ensurepip, subprocess, sys

ensurepip.bootstrap()
packages = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--quiet", *packages]))
"""


def main() -> int:
    """Build, unpack and check the collection; further arguments go to ansible-test, such as `--test pylint`."""
    version = ".".join(map(str, sys.version_info[:2]))
    script = HOME / f".ansible/test/cache/get_pip_{_pip(version).replace('.', '_')}.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(GET_PIP)
    with tempfile.TemporaryDirectory(prefix="odp-sanity-") as directory:
        build = ("ansible-galaxy", "collection", "build", str(ROOT), "--output-path", directory)
        subprocess.run(build, stdout=subprocess.DEVNULL, check=True)
        [archive] = Path(directory).glob("*.tar.gz")
        collection = Path(directory, "ansible_collections/opendata/platform")
        with tarfile.open(archive) as files:
            files.extractall(collection, filter="data")
        # Not part of the archive.
        shutil.copytree(ROOT / "tests/sanity", collection / "tests/sanity")
        shutil.copy(ROOT / "tests/config.yml", collection / "tests")
        command = ("ansible-test", "sanity", "--python", version, "--color", "no")
        command += (*(option for test in SKIPPED for option in ("--skip-test", test)), *sys.argv[1:])
        environment = {**os.environ, "HOME": str(HOME)}
        environment.pop("ANSIBLE_CONFIG", None)
        pipe = subprocess.DEVNULL
        return subprocess.run(command, cwd=collection, env=environment, stdin=pipe, check=False).returncode


def _pip(python: str) -> str:
    """Return the version of pip that ansible-test asks for."""
    return str(get_venv_packages(SimpleNamespace(version=python))["pip"])


if __name__ == "__main__":
    sys.exit(main())
