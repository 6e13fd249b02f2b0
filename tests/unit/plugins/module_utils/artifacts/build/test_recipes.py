# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Python packages from a directory in place of PyPI, for a root whose Python is a stand-in; and own files."""

import hashlib
import io
import os
import shutil
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.build.jobs import JobError, Shell
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.build.recipes import (
    Workplace,
    build_own,
    build_python,
)
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.store import remove

pytestmark = pytest.mark.skipif(not shutil.which("setpriv"), reason="builds run on Linux with util-linux only")
RECIPE = {"kind": "python", "source": "images/app/requirements.txt", "base": "base", "python": "3.13"}
# Notes how it was called, makes one file, and fails as compileall does when a package has files for another Python.
LINKER = """#!/bin/sh
echo "$PYTHONHOME $*" >"$(dirname "$0")/said"
for site; do :; done
[ -e "$site/broken" ] || touch "$site/made.pyc"
exit 1
"""
# Makes the wheel that lies in its own archive.
BACKEND = """import shutil
def build_wheel(directory, *_):
    return shutil.copy("made.whl", f"{directory}/old-1.0-py3-none-any.whl").rpartition("/")[2]
"""


def wheel(name: str, tag: str = "py3-none-any", **files: str) -> bytes:
    """A wheel with one program and these files; ``__`` in a name stands for a slash."""
    info, stream = f"{name}-1.0.dist-info", io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        made.writestr(f"{name}/__init__.py", f"print('{tag}')\n")
        made.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        made.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        made.writestr(f"{info}/entry_points.txt", f"[console_scripts]\n{name} = {name}:main\n")
        for path, text in files.items():
            made.writestr(f"{name}/{path.replace('__', '/')}", text)
        made.writestr(f"{info}/RECORD", "".join(f"{each},,\n" for each in [*made.namelist(), f"{info}/RECORD"]))
    return stream.getvalue()


def source(name: str) -> bytes:
    """A source archive that needs nothing to become a wheel."""
    stream = io.BytesIO()
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    files = {"pyproject.toml": project.encode(), "backend.py": BACKEND.encode(), "made.whl": wheel(name)}
    files["PKG-INFO"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(f"{name}-1.0/{path}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


class Index:
    """A directory with packages, and the lock that names them."""

    def __init__(self, home: Path) -> None:
        self.home, self.lock = home / "index", home / RECIPE["source"]
        self.home.mkdir()
        self.lock.parent.mkdir(parents=True)

    def offer(self, file: str, content: bytes) -> str:
        """Put a package there and return its hash as pip wants it."""
        (self.home / file).write_bytes(content)
        return f"--hash=sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    found = Index(tmp_path)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(found.home))
    return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    linker = tmp_path / "base/rootfs/lib64/ld-linux-x86-64.so.2"
    linker.parent.mkdir(parents=True)
    linker.write_text(LINKER)
    linker.chmod(0o755)
    for folder in ("work", "out"):
        (tmp_path / folder).mkdir()
    lock = os.open(tmp_path / "work", os.O_RDONLY)
    yield Workplace(
        name="app_packages",
        entry={"build": {**RECIPE}},
        shell=Shell(tmp_path / "log/app.log", threading.Event()),
        out=tmp_path / "out",
        work=tmp_path / "work",
        lock=lock,
        cache=tmp_path,
        collection=tmp_path,
        needs={"base": tmp_path / "base"},
    )
    os.close(lock)


def site(place: Workplace) -> set[str]:
    """Files of the packages, without what pip notes of them and what was compiled."""
    files = [str(path.relative_to(place.out)) for path in place.out.rglob("*") if path.is_file()]
    return {file for file in files if "dist-info" not in file and not file.endswith(".pyc")}


def test_packages_are_installed_for_the_roots_python_and_compiled_by_it(place: Workplace, index: Index) -> None:
    index.lock.write_text(f"app==1.0 {index.offer('app-1.0-py3-none-any.whl', wheel('app', data='x'))}\n")
    build_python(place)
    # No programs: their first line would name the Python of this host.
    assert site(place) == {"site/app/__init__.py", "site/app/data"}
    root = place.needs["base"] / "rootfs"
    assert (root / "lib64/said").read_text() == (
        f"{root}/usr --library-path {root}/usr/lib/x86_64-linux-gnu {root}/usr/bin/python3.13 -B -m compileall -q "
        f"--invalidation-mode=unchecked-hash -s {place.out} {place.out}/site\n"
    )


def test_a_root_whose_python_compiles_nothing_is_told(place: Workplace, index: Index) -> None:
    index.lock.write_text(f"broken==1.0 {index.offer('broken-1.0-py3-none-any.whl', wheel('broken'))}\n")
    with pytest.raises(JobError, match="no file of app_packages was compiled"):
        build_python(place)


def test_of_wheels_for_several_systems_that_of_the_root_is_taken(place: Workplace, index: Index) -> None:
    tags = (
        "cp313-cp313-manylinux_2_28_x86_64",
        "cp313-cp313-manylinux_2_40_x86_64",
        "cp312-cp312-manylinux_2_28_x86_64",
    )
    hashes = [index.offer(f"app-1.0-{tag}.whl", wheel("app", tag)) for tag in tags]
    index.lock.write_text(f"app==1.0 {' '.join(hashes)}\n")
    build_python(place)
    assert (place.out / "site/app/__init__.py").read_text() == f"print('{tags[0]}')\n"


@pytest.mark.parametrize(
    ("proof", "words"),
    [(f"--hash=sha256:{'0' * 64}", "DO NOT MATCH THE HASHES"), ("", "Hashes are required in --require-hashes mode")],
)
def test_a_package_that_the_lock_does_not_prove_is_refused(
    place: Workplace, index: Index, proof: str, words: str
) -> None:
    index.offer("app-1.0-py3-none-any.whl", wheel("app"))
    index.lock.write_text(f"app==1.0 {proof}\n")
    with pytest.raises(JobError):
        build_python(place)
    assert words in place.shell.log.read_text()
    assert site(place) == set()


def test_only_the_sources_that_are_named_are_built(place: Workplace, index: Index) -> None:
    index.lock.write_text(f"old==1.0 {index.offer('old-1.0.tar.gz', source('old'))}\n")
    with pytest.raises(JobError):
        build_python(place)
    assert "No matching distribution found for old==1.0" in place.shell.log.read_text()
    place.recipe["sources"] = ["old"]
    build_python(place)
    assert site(place) == {"site/old/__init__.py"}


def test_what_nothing_reads_is_left_out(place: Workplace, index: Index) -> None:
    files = {"tests__a.py": "", "tests__deep__b.py": "", "large.po": "", "kept.mo": "", "more__large.po": ""}
    index.lock.write_text(f"app==1.0 {index.offer('app-1.0-py3-none-any.whl', wheel('app', **files))}\n")
    place.recipe["without"] = ["app/tests", "app/**/*.po", "app/never-there"]
    build_python(place)
    assert site(place) == {"site/app/__init__.py", "site/app/kept.mo"}


def test_own_files_are_taken_without_what_python_compiled(place: Workplace) -> None:
    folder = place.collection / "pipelines/src/trips/__pycache__"
    folder.mkdir(parents=True)
    (folder / "rules.cpython-313.pyc").write_bytes(b"compiled")
    (folder.parent / "rules.py").write_text("RULES = 1")
    place.entry["build"] = {"kind": "own", "source": "pipelines/src", "files": {"src": ".", "one.py": "trips/rules.py"}}
    build_own(place)
    assert {str(path.relative_to(place.out)) for path in place.out.rglob("*")} == {
        "src",
        "src/trips",
        "src/trips/rules.py",
        "one.py",
    }
    place.entry["build"]["files"] = {"x": "trips/rule.py"}
    with pytest.raises(JobError, match=r"pipelines/src/trips/rule\.py does not exist"):
        build_own(place)


@pytest.mark.parametrize("kind", ["file", "directory", "link", "absent"])
def test_remove_takes_whatever_is_there_and_never_what_a_link_leads_to(tmp_path: Path, kind: str) -> None:
    made, other = tmp_path / "made", tmp_path / "other"
    other.write_text("kept")
    actions: dict[str, Any] = {
        "file": lambda: made.write_text("x"),
        "directory": lambda: (made / "deep").mkdir(parents=True),
        "link": lambda: made.symlink_to(other),
        "absent": lambda: None,
    }
    actions[kind]()
    remove(made)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
    assert other.read_text() == "kept"
