# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Verb logs: which service is meant, and which containers start."""

import io
import json
from typing import Any

import pytest

from logs import choose, documents, started
from services import Service


def test_the_cluster_is_asked_for_when_two_have_the_service() -> None:
    found = [Service(cluster, "dagster", "dagster") for cluster in ("north", "south")]
    with pytest.raises(SystemExit) as ended:
        choose("dagster", found, {})
    assert ended.value.code == "odp: dagster is in north, south. Choose: ./odp logs dagster --cluster north"
    assert choose("dagster", found[1:], {}) == found[1]


def test_a_service_that_waits_says_why() -> None:
    with pytest.raises(SystemExit) as ended:
        choose("keycloak", [Service("north", "keycloak", "keycloak", waiting="no image")], {})
    assert ended.value.code == "odp: keycloak of north is unavailable (no image)"


def test_each_run_of_a_container_starts_once() -> None:
    def pod(*containers: tuple[str, str]) -> dict[str, Any]:
        states = [{"name": name, **({"containerID": run} if run else {})} for name, run in containers]
        return {"metadata": {"name": "p"}, "status": {"containerStatuses": states}}

    seen = [{"metadata": {"name": "p"}}, pod(("a", ""), ("b", "1")), pod(("a", "2"), ("b", "1")), pod(("b", "3"))]
    text = "".join(json.dumps(each, indent=4) + "\n" for each in seen)
    assert list(started(documents(io.StringIO(text)))) == [("p", "b"), ("p", "a"), ("p", "b")]
