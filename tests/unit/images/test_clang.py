# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""images/cilium/clang with a stand-in for the compiler that prints its arguments."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from repository import ROOT

STAND_IN = """#!/bin/sh
[ "$1" != -E ] || { cat "$WORK/source"; exit; }
echo "$*" >>"$WORK/calls"
case $* in *broken*) echo "broken.c: error" >&2; exit 1 ;; esac
sleep 0.2
echo "compiled $*: $(cat "$WORK/source")"
"""
COMPILE = ("-O2", "-c", "bpf_lxc.c", "-o", "-")


class Compiler:
    """The script of the image, with the directory of the kept programs below ``work``."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.kept = work / "compiled"
        (work / "bin").mkdir()
        (work / "bin/clang-19").write_text(STAND_IN)
        (work / "bin/clang-19").chmod(0o755)
        text = (ROOT / "images/cilium/clang").read_text()
        assert "kept=/var/run/cilium/compiled\n" in text
        (work / "clang").write_text(text.replace("/var/run/cilium/compiled", str(self.kept)))
        self.source("one")

    def source(self, text: str) -> None:
        (self.work / "source").write_text(text)

    def run(self, *arguments: str, code: int = 0) -> str:
        environment = {"PATH": f"{self.work}/bin:/usr/bin:/bin", "WORK": str(self.work)}
        command = ["sh", str(self.work / "clang"), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done
        return done.stdout

    def calls(self) -> int:
        return len((self.work / "calls").read_text().splitlines())


@pytest.fixture
def compiler(tmp_path: Path) -> Compiler:
    return Compiler(tmp_path)


def test_without_the_directory_nothing_is_kept(compiler: Compiler) -> None:
    assert [compiler.run(*COMPILE) for _ in range(2)] == ["compiled -O2 -c bpf_lxc.c -o -: one\n"] * 2
    assert compiler.calls() == 2


def test_the_same_program_is_compiled_once(compiler: Compiler) -> None:
    compiler.kept.mkdir()
    assert [compiler.run(*COMPILE) for _ in range(2)] == ["compiled -O2 -c bpf_lxc.c -o -: one\n"] * 2
    assert compiler.calls() == 1
    assert len(list(compiler.kept.iterdir())) == 1


def test_another_source_or_option_is_compiled(compiler: Compiler) -> None:
    compiler.kept.mkdir()
    compiler.run(*COMPILE)
    compiler.source("two")
    assert compiler.run(*COMPILE).endswith(": two\n")
    assert compiler.run("-O3", *COMPILE[1:]).startswith("compiled -O3")
    assert compiler.calls() == 3


def test_two_nodes_at_once_compile_once(compiler: Compiler) -> None:
    compiler.kept.mkdir()
    with ThreadPoolExecutor(3) as pool:
        printed = list(pool.map(lambda _: compiler.run(*COMPILE), range(3)))
    assert printed == ["compiled -O2 -c bpf_lxc.c -o -: one\n"] * 3
    assert compiler.calls() == 1


def test_a_failure_is_not_kept(compiler: Compiler) -> None:
    compiler.kept.mkdir()
    for _ in range(2):
        assert compiler.run("-c", "broken.c", code=1) == ""
    assert compiler.calls() == 2


def test_questions_about_the_compiler_go_through(compiler: Compiler) -> None:
    compiler.kept.mkdir()
    assert compiler.run("--version") == "compiled --version: one\n"
    assert not list(compiler.kept.iterdir())
