# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Runs of jobs through the webserver's GraphQL API, with nothing but the standard library."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

_LAUNCH = """
mutation($job: String!, $config: RunConfigData!) {
  launchRun(executionParams: {selector: {jobName: $job, repositoryName: "__repository__",
      repositoryLocationName: $job}, runConfigData: $config}) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on Error { message }
  }
}"""
_RUN = """
query($run: ID!) {
  runOrError(runId: $run) { ... on Run { status tags { key value } } }
  logsForRun(runId: $run) {
    ... on EventConnection { events {
      ... on ExecutionStepFailureEvent { stepKey error { message } }
      ... on RunFailureEvent { message }
    } }
  }
}"""
# Of each storage that a launch writes to: the webserver's connection to it may have died, which one query finds out.
_ANY = """
{
  runsOrError(limit: 1) { ... on Runs { results { id } } }
  assetRecordsOrError(limit: 1) { ... on AssetRecordConnection { assets { id } } }
}"""
_ENDED = ("SUCCESS", "FAILURE", "CANCELED")
_POLL_SECONDS = 2


class DagsterError(Exception):
    """Dagster refused, failed or cannot be reached; the text says what to do."""


class NotAnswering(DagsterError):
    """The webserver or what it needs is not there, perhaps only for a moment."""


class Dagster:
    """One webserver."""

    def __init__(self, url: str) -> None:
        """url: of the webserver, without /graphql."""
        self.url = url.rstrip("/")

    def query(self, text: str, **variables: Any) -> dict[str, Any]:
        """Return the data of a query or mutation.

        :raises NotAnswering: when another try may succeed.
        """
        body = json.dumps({"query": text, "variables": variables}).encode()
        try:
            request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=60) as answer:
                found = json.load(answer)
        except (OSError, ValueError) as error:
            refused = isinstance(error, urllib.error.HTTPError) and error.code < 500
            text = f"'{self.url}' does not answer: {error}. Is DAGSTER_URL the webserver's address?"
            raise (DagsterError if refused else NotAnswering)(text) from error
        if found.get("errors"):
            raise DagsterError(f"{self.url} refused the query: {'; '.join(e['message'] for e in found['errors'])}")
        return found["data"]

    def launch(self, job: str, config: dict[str, Any], seconds: float = 0) -> str:
        """Start a run of a job whose code location has the same name; return the run's id.

        :param seconds: how long the webserver may take to answer; a run is asked for once, lest there be two.
        """
        self._patient(time.monotonic() + seconds, _ANY)
        result = self.query(_LAUNCH, job=job, config=config)["launchRun"]
        if result["__typename"] != "LaunchRunSuccess":
            reasons = [error["message"] for error in result.get("errors", [])] or [result.get("message", "")]
            raise DagsterError(f"{result['__typename']} for job {job}: {'; '.join(reasons)}")
        return result["run"]["runId"]

    def wait(self, run: str, seconds: float) -> str:
        """Return the last status, and what failed if it is not SUCCESS; a run that is retried goes on in another."""
        deadline = time.monotonic() + seconds
        while True:
            data = self._patient(deadline, _RUN, run=run)
            status = data["runOrError"].get("status", "unknown to Dagster")
            tags = {tag["key"]: tag["value"] for tag in data["runOrError"].get("tags", [])}
            if status == "FAILURE" and tags.get("dagster/auto_retry_run_id"):
                run = tags["dagster/auto_retry_run_id"]
            elif status in _ENDED and not (status == "FAILURE" and tags.get("dagster/will_retry") == "true"):
                return ": ".join([status, *_reasons(data)]) if status != "SUCCESS" else status
            elif time.monotonic() > deadline:
                return f"{status} after {seconds:g} seconds, see {self.url}/runs/{run}"
            else:
                time.sleep(_POLL_SECONDS)

    def _patient(self, deadline: float, text: str, **variables: Any) -> dict[str, Any]:
        """Return the data of a query that changes nothing, asked until the webserver answers or time is up."""
        while True:
            try:
                return self.query(text, **variables)
            except NotAnswering:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_SECONDS)


def _reasons(data: dict[str, Any]) -> Iterator[str]:
    """Yield what the failing step said, or else what the run said."""
    events = data["logsForRun"].get("events", [])
    steps = [f"{event['stepKey']}: {event['error']['message'].strip()}" for event in events if event.get("error")]
    yield from steps[-1:] or [event["message"] for event in events if event.get("message")][-1:]
