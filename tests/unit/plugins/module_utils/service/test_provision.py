# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The scripts of the provisioning Jobs; Garage's admin API is a stand-in here, written after Garage 2.5."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.service import provision

KEY, SECRET = f"GK{'a' * 24}", "b" * 64
ALL = {"read": True, "write": True, "owner": True}


@pytest.mark.parametrize("name", ["POSTGRES", "GARAGE", "MINIO"])
def test_shellcheck_finds_nothing(name: str) -> None:
    script = getattr(provision, name)
    # Its variables come from the Job.
    command = [str(Path(sys.executable).parent / "shellcheck"), "--shell=sh", "--exclude=SC2154", "-"]
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


class Garage(ThreadingHTTPServer):
    """Keys, buckets and permissions, and the calls that changed them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Api)
        self.keys: dict[str, str] = {}
        self.buckets: dict[str, str] = {}
        self.allowed: dict[str, Any] = {}
        self.calls: list[str] = []


class Api(BaseHTTPRequestHandler):
    """The five calls of the script; an error for what is there already, as Garage gives."""

    server: Garage

    def do_GET(self) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if "id" in query:
            return self.answer(200 if query["id"] in self.server.keys else 404, {"accessKeyId": query["id"]})
        found = self.server.buckets.get(query["globalAlias"])
        return self.answer(200 if found else 404, {"id": found, "created": "now", "keys": [{"id": "other"}]})

    def do_POST(self) -> None:
        call = self.path.rsplit("/", 1)[-1]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        server.calls.append(call)
        if call == "ImportKey" and body["accessKeyId"] not in server.keys:
            server.keys[body["accessKeyId"]] = body["secretAccessKey"]
        elif call == "CreateBucket" and body["globalAlias"] not in server.buckets:
            server.buckets[body["globalAlias"]] = f"{len(server.buckets) + 10:064x}"
        elif call == "AllowBucketKey" and body["bucketId"] in server.buckets.values():
            server.allowed[body["bucketId"]] = (body["accessKeyId"], body["permissions"])
        else:
            return self.answer(409, {"code": "Conflict"})
        return self.answer(200, {})

    def answer(self, status: int, body: dict[str, Any]) -> None:
        self.send_response(status if self.headers["Authorization"] == "Bearer token" else 403)
        self.end_headers()
        self.wfile.write(json.dumps(body, indent=2).encode())

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def garage() -> Iterator[Garage]:
    with Garage() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", "-eu", "-c", script]
    variables = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=60)


def run_job(garage: Garage, **changes: str) -> subprocess.CompletedProcess[str]:
    environment = {"ADMIN_URL": f"http://127.0.0.1:{garage.server_port}", "ADMIN_TOKEN": "token", "NAME": "notebook"}
    environment |= {"BUCKETS": "data models", "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    return run(provision.GARAGE, **{**environment, **changes})


def test_garage_has_key_and_buckets_and_a_second_run_makes_nothing(garage: Garage) -> None:
    first = run_job(garage)
    assert first.returncode == 0, first.stderr
    assert garage.keys == {KEY: SECRET}
    assert set(garage.buckets) == {"data", "models"}
    assert garage.allowed == dict.fromkeys(garage.buckets.values(), (KEY, ALL))
    assert first.stdout == ""
    garage.calls.clear()
    second = run_job(garage)
    assert second.returncode == 0, second.stderr
    assert garage.calls == ["AllowBucketKey", "AllowBucketKey"]


def test_garage_that_refuses_fails_the_job_without_a_secret_in_its_log(garage: Garage) -> None:
    refused = run_job(garage, ADMIN_TOKEN="wrong")
    assert refused.returncode != 0
    assert "403" in refused.stderr
    assert SECRET not in refused.stderr + refused.stdout


# A program in place of mc that keeps its calls, and says that the policy is attached once it was.
MC = """#!/bin/sh
echo "$*" >> "$CALLS"
case "$*" in
"admin policy attach"*) touch "$CALLS.attached" ;;
"admin policy create"*) cat "$6" >> "$CALLS" && echo >> "$CALLS" ;;
"admin user info"*) test ! -e "$CALLS.attached" || printf '{\\n "policyName": "notebook"\\n}\\n' ;;
esac
"""


def test_minio_gets_a_policy_for_its_buckets_only(tmp_path: Path) -> None:
    (tmp_path / "mc").write_text(MC)
    (tmp_path / "mc").chmod(0o755)
    environment = {"ROOT_USER": "root", "ROOT_PASSWORD": "word", "STORE": "minio:9000", "NAME": "notebook"}
    environment |= {"BUCKETS": "data models", "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    environment |= {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CALLS": str(tmp_path / "calls")}
    script = provision.MINIO.replace("/tmp/", f"{tmp_path}/")
    for _ in range(2):
        done = run(script, **environment)
        assert done.returncode == 0, done.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[0] == "mb --ignore-existing store/data"
    policy = json.loads(next(line for line in calls if line.startswith("{")))
    assert policy["Statement"][0]["Resource"] == [
        f"arn:aws:s3:::{bucket}{end}" for bucket in ("data", "models") for end in ("", "/*")
    ]
    assert calls.count(f"admin user add store {KEY} {SECRET}") == 2
    assert calls.count(f"admin policy attach store notebook --user {KEY}") == 1
