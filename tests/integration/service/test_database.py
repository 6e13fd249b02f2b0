# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The database's script against a real PostgreSQL; skipped where none is installed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.service import provision

from api_server import free_port

NOBODY = 65534


@pytest.fixture
def postgres() -> Iterator[dict[str, str]]:
    """Variables that lead to a server; it lives below /tmp, because its user may not enter pytest's own directory."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs or os.geteuid():
        pytest.skip("needs root and PostgreSQL: apt-get install postgresql")
    path = f"{programs[-1]}:{os.environ['PATH']}"
    place = Path(tempfile.mkdtemp(dir="/tmp"))
    os.chown(place, NOBODY, NOBODY)
    password = place / "password"
    password.write_text("super")
    password.chmod(0o444)
    environment = {"PATH": path, "PGHOST": "127.0.0.1", "PGPORT": str(free_port()), "PGPASSWORD": "super"}
    environment |= {"PGUSER": "postgres", "LC_ALL": "C"}

    def call(*command: str) -> None:
        subprocess.run(command, env=environment, user=NOBODY, group=NOBODY, cwd="/", check=True, capture_output=True)

    options = f"-p {environment['PGPORT']} -k {place} -c log_statement=all -c fsync=off"
    control = ("pg_ctl", "-D", f"{place}/data", "-w")
    call("initdb", "-D", f"{place}/data", "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={password}")
    call(*control, "-o", options, "-l", f"{place}/log", "start")
    try:
        yield {**environment, "LOG": f"{place}/log"}
    finally:
        call(*control, "-m", "immediate", "stop")
        shutil.rmtree(place)


def run_job(postgres: dict[str, str], password: str) -> subprocess.CompletedProcess[str]:
    quiet = {"PGOPTIONS": "-c log_statement=none -c log_min_error_statement=panic"}
    environment = {**postgres, **quiet, "NAME": "note_book", "PASSWORD": password}
    command = ["sh", "-eu", "-c", provision.POSTGRES]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_role_and_database_are_made_once_and_the_password_follows(postgres: dict[str, str]) -> None:
    owner = {**postgres, "PGUSER": "note_book", "PGDATABASE": "note_book"}
    create = ["psql", "-qc", "CREATE TABLE IF NOT EXISTS kept (x int); INSERT INTO kept VALUES (1)"]
    for number in (1, 2):
        done = run_job(postgres, f"secret{number}")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        own = {**owner, "PGPASSWORD": f"secret{number}"}
        subprocess.run(create, env=own, check=True, capture_output=True, timeout=60)
    count = ["psql", "-Atc", "SELECT count(*) FROM kept"]
    assert subprocess.run(count, env=own, check=True, capture_output=True, text=True, timeout=60).stdout == "2\n"
    assert "secret" not in Path(postgres["LOG"]).read_text()


def test_no_other_role_may_enter_the_database(postgres: dict[str, str]) -> None:
    run_job(postgres, "secret")
    other = ["psql", "-qc", "CREATE ROLE other LOGIN PASSWORD 'x'"]
    subprocess.run(other, env=postgres, check=True, capture_output=True, timeout=60)
    stranger = {**postgres, "PGUSER": "other", "PGPASSWORD": "x", "PGDATABASE": "note_book"}
    refused = subprocess.run(["psql", "-c", "SELECT 1"], env=stranger, capture_output=True, text=True, check=False)
    assert "permission denied for database" in refused.stderr


def test_a_server_that_refuses_fails_the_job(postgres: dict[str, str]) -> None:
    refused = run_job({**postgres, "PGPASSWORD": "wrong"}, "secret")
    assert refused.returncode != 0
    assert "password authentication failed" in refused.stderr
    assert "secret" not in refused.stderr
