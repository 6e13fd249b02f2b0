# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A file is replaced completely or not at all."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.files import atomic_stream, atomic_write

from repository import ROOT

# Writes two files' worth of bytes for ever; killed somewhere on the way.
WRITER = """
import importlib.util, itertools, sys
spec = importlib.util.spec_from_file_location("files", sys.argv[1])
files = importlib.util.module_from_spec(spec)
spec.loader.exec_module(files)
for turn in itertools.count():
    files.atomic_write(sys.argv[2], b"ab"[turn % 2 :][:1] * 5_000_000, 0o600)
"""


def test_content_and_mode_replace_those_of_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic_write(path, "ä\n", 0o644)
    atomic_write(str(path), b"new", 0o600)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["file"]


def test_what_is_written_is_private_until_it_is_complete(tmp_path: Path) -> None:
    with atomic_stream(tmp_path / "file", 0o644) as stream:
        stream.write(b"half")
        stream.flush()
        (temporary,) = tmp_path.iterdir()
        assert temporary.stat().st_mode & 0o777 == 0o600
        assert temporary.suffix != ".conf"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_a_link_is_replaced_and_its_target_left_alone(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to("target")
    atomic_write(tmp_path / "link", "new")
    assert (tmp_path / "target").read_text() == "old"
    assert not (tmp_path / "link").is_symlink()


def test_a_failure_keeps_the_old_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_stream(path) as stream:
        stream.write(b"half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_killed_run_leaves_no_half_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a" * 5_000_000)
    for turn in range(8):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(ROOT / "plugins/module_utils/files.py"), str(path)]
        )
        try:
            time.sleep(0.15 + turn * 0.013)
            writer.send_signal(signal.SIGKILL)
        finally:
            writer.kill()
            writer.wait()
        content = path.read_bytes()
        assert len(content) == 5_000_000
        assert content in (b"a" * 5_000_000, b"b" * 5_000_000)
