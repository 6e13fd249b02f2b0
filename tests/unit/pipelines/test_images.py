# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The packages of the images: pinned, proved by hashes, and the same where two images talk to each other."""

import re

import pytest

from repository import ROOT

IMAGES = ROOT / "images"
NAMES = ["sail", "dagster", "pipelines"]


def pins(image: str) -> dict[str, str]:
    """Return version by package."""
    return dict(re.findall(r"^([\w.-]+)==(\S+) \\$", (IMAGES / image / "requirements.txt").read_text(), re.MULTILINE))


@pytest.mark.parametrize("image", NAMES)
def test_every_package_has_one_version_and_hashes(image: str) -> None:
    entries = re.split(r"\n(?=\w)", (IMAGES / image / "requirements.txt").read_text())
    packages = [entry for entry in entries if not entry.startswith("#")]
    assert packages
    assert [
        entry for entry in packages if not re.match(r"[\w.-]+==\S+ \\\n    --hash=sha256:[0-9a-f]{64}", entry)
    ] == []


@pytest.mark.parametrize("image", NAMES)
def test_what_is_asked_for_is_pinned_to_it(image: str) -> None:
    asked = re.findall(r"^([\w-]+)==(\S+)$", (IMAGES / image / "requirements.in").read_text(), re.MULTILINE)
    assert asked
    assert dict(asked).items() <= pins(image).items()


def test_a_run_speaks_with_the_webserver_and_daemon_in_one_version() -> None:
    runs, web = pins("pipelines"), pins("dagster")
    assert {"dagster", "dagster-k8s", "dagster-postgres", "sqlalchemy"} <= set(runs) & set(web)
    assert {name: (runs[name], web[name]) for name in set(runs) & set(web) if runs[name] != web[name]} == {}


def test_the_spark_client_is_there_with_what_it_knows() -> None:
    found = pins("pipelines")
    assert found["pyspark-client"].startswith("4.")
    assert found["pandas"].startswith("2.")
