# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Runs through the GraphQL API; a server with prepared answers stands in for the webserver."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from trips import dagster_api, report
from trips.dagster_api import Dagster, DagsterError

Answers = list[dict[str, Any]]


@pytest.fixture
def dagster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answers], tuple[Dagster, list[Any]]]]:
    """A function from prepared answers to a client and the list of what it asks for."""
    monkeypatch.setattr(dagster_api, "_POLL_SECONDS", 0.01)
    servers = []

    def start(answers: Answers) -> tuple[Dagster, list[Any]]:
        asked: list[Any] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["variables"])
                answer = answers.pop(0)
                self.send_response(answer.get("status", 200))
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return Dagster(f"http://127.0.0.1:{server.server_port}/"), asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def state(status: str, events: list[dict[str, Any]] | None = None, **tags: str) -> dict[str, Any]:
    """Answer about a run."""
    pairs = [{"key": f"dagster/{name}", "value": value} for name, value in tags.items()]
    run = {"status": status, "tags": pairs}
    return {"data": {"runOrError": run, "logsForRun": {"events": events or []}}}


# What a webserver says whose database is away, and what it says when it is well.
DOWN = {"status": 500}
WELL: dict[str, Any] = {"data": {}}


def launched(**result: Any) -> dict[str, Any]:
    return {"data": {"launchRun": result}}


def test_a_run_is_started_with_its_config(dagster: Any) -> None:
    client, asked = dagster([DOWN, DOWN, WELL, launched(__typename="LaunchRunSuccess", run={"runId": "r1"})])
    assert client.launch("trips", {"resources": {}}, 10) == "r1"
    assert asked == [{}] * 3 + [{"job": "trips", "config": {"resources": {}}}]


def test_a_run_is_asked_for_only_once(dagster: Any) -> None:
    client, asked = dagster([WELL, DOWN])
    with pytest.raises(DagsterError, match="does not answer: HTTP Error 500"):
        client.launch("trips", {}, 10)
    assert len(asked) == 2


def test_what_the_webserver_refuses_is_not_asked_again(dagster: Any) -> None:
    client, asked = dagster([{"status": 400}])
    with pytest.raises(DagsterError, match="HTTP Error 400"):
        client.wait("r1", 10)
    assert len(asked) == 1


def test_wrong_config_is_told_in_dagsters_words(dagster: Any) -> None:
    answer = launched(__typename="RunConfigValidationInvalid", errors=[{"message": "rows: 0"}, {"message": "seed"}])
    with pytest.raises(DagsterError, match=r"RunConfigValidationInvalid for job trips: rows: 0; seed"):
        dagster([WELL, answer])[0].launch("trips", {})


def test_a_missing_job_is_told(dagster: Any) -> None:
    answer = launched(__typename="PipelineNotFoundError", message="no such job")
    with pytest.raises(DagsterError, match="PipelineNotFoundError for job trips: no such job"):
        dagster([WELL, answer])[0].launch("trips", {})


def test_a_refused_query_is_told(dagster: Any) -> None:
    with pytest.raises(DagsterError, match="refused the query: no field"):
        dagster([{"errors": [{"message": "no field"}]}])[0].query("{x}")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "", "dagster"])
def test_a_server_that_is_not_there_is_told(url: str) -> None:
    with pytest.raises(DagsterError, match=rf"'{url}' does not answer: .* Is DAGSTER_URL the webserver's address"):
        Dagster(url).query("{x}")


def test_waiting_ends_with_the_run(dagster: Any) -> None:
    client, asked = dagster([state("QUEUED"), DOWN, state("STARTED"), state("SUCCESS")])
    assert client.wait("r1", 10) == "SUCCESS"
    assert asked == [{"run": "r1"}] * 4


def test_a_webserver_that_stays_away_is_told_at_the_end(dagster: Any) -> None:
    with pytest.raises(DagsterError, match="does not answer: HTTP Error 500"):
        dagster([DOWN])[0].wait("r1", -1)


def test_a_run_that_is_retried_goes_on_in_the_next_one(dagster: Any) -> None:
    lost = state("FAILURE", will_retry="true")
    followed = state("FAILURE", will_retry="true", auto_retry_run_id="r2")
    client, asked = dagster([lost, followed, state("STARTED"), state("SUCCESS")])
    assert client.wait("r1", 10) == "SUCCESS"
    assert [each["run"] for each in asked] == ["r1", "r1", "r2", "r2"]


def test_a_failed_step_says_why(dagster: Any) -> None:
    events = [{}, {"stepKey": "checked_trips", "error": {"message": "Rows were lost\n"}}, {"message": "1 step failed"}]
    assert dagster([state("FAILURE", events)])[0].wait("r1", 10) == "FAILURE: checked_trips: Rows were lost"


def test_a_run_without_a_failed_step_says_what_it_said_last(dagster: Any) -> None:
    events = [{"message": "the pod is gone"}]
    assert dagster([state("FAILURE", events, will_retry="false")])[0].wait("r1", 10) == "FAILURE: the pod is gone"


def test_time_is_limited(dagster: Any) -> None:
    client, _asked = dagster([state("STARTED")])
    assert client.wait("r1", -1) == f"STARTED after -1 seconds, see {client.url}/runs/r1"


def test_a_report_shows_what_could_not_be_measured() -> None:
    def gone() -> None:
        raise FileNotFoundError("current.json is not there")

    found = report.lines([("rows", 3, lambda: 3), ("sum", 5, lambda: 6), ("mart", 1, gone)])
    assert [line["ok"] for line in found] == [True, False, False]
    assert found[2]["found"] == "FileNotFoundError: current.json is not there"
    text = list(report.table(found))
    assert text[0].startswith("ok    rows            3 (")
    assert text[1].startswith("WRONG sum             5, found 6 (")
