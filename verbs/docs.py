# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Verb docs: build the site, the pages of docs/ and the reference of every module, role, filter and callback."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "build/docs-source"
SITE = ROOT / "build/docs"
COLLECTION = "opendata.platform"
# Pages of the repository's top directory.
TOP = ("README.md", "CONTRIBUTING.md", "SECURITY.md")
INDEX = """

```{toctree}
:hidden:
:glob:

start
architecture
*
reference/index
```
"""


def main() -> int:
    """Build without network; 0 when there was no warning."""
    for directory in (SOURCE, SITE):
        shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(ROOT / "docs", SOURCE, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    shutil.copy(ROOT / "docs/conf.py", SOURCE)
    for page in sorted(SOURCE.glob("*.md")):
        page.write_text(_links(page.read_text(), "../"))
    for name in TOP:
        text = _links((ROOT / name).read_text(), "")
        page = SOURCE / ("index.md" if name == "README.md" else name)
        page.write_text(text + (INDEX if name == "README.md" else ""))
    (SOURCE / "reference").mkdir()
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    environment["ANSIBLE_COLLECTIONS_PATH"] = str(ROOT / ".collections")
    reference = ("--use-current", "--squash-hierarchy", "--fail-on-error", "--dest-dir", str(SOURCE / "reference"))
    for command in (
        (sys.executable, str(ROOT / "docs/architecture_picture.py")),
        ("antsibull-docs", "collection", *reference, COLLECTION),
        ("sphinx-build", "--quiet", "--fail-on-warning", "--keep-going", "-j", "auto", str(SOURCE), str(SITE)),
    ):
        if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
            return 1
    print(f"odp: built {SITE / 'index.html'}")
    return 0


def _links(text: str, up: str) -> str:
    """Lead links to pages of docs/ to the pages of the site, and others to the repository."""
    repository = re.search(r"^repository: (\S+)$", (ROOT / "galaxy.yml").read_text(), re.MULTILINE)
    assert repository

    def target(match: re.Match[str]) -> str:
        path, anchor = match[1], match[2] or ""
        inside = path if up and not path.startswith(up) else path.removeprefix(up)
        if up and not path.startswith(up):
            return f"]({path}{anchor})"
        if inside.startswith("docs/"):
            return f"]({inside.removeprefix('docs/')}{anchor})"
        if inside in TOP:
            return f"]({'index.md' if inside == 'README.md' else inside}{anchor})"
        return f"]({repository[1]}/blob/main/{inside}{anchor})"

    return re.sub(r"\]\((?!https?://|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)", target, text)


if __name__ == "__main__":
    sys.exit(main())
