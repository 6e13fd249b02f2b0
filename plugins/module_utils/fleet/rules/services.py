# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The data services that an inventory switches on, and where Flux reads them. Pure."""

from __future__ import annotations

import re
from typing import Any

from ...findings import Findings, did_you_mean
from ..schema import OBJECT_STORES, Inventory

VARIABLE = "cluster_services"
DATABASE, OPERATOR = "postgres", "cloudnative_pg"


def services(inventory: Inventory, record: dict[str, Any], findings: Findings) -> None:
    """Every service that is switched on has a role, and Flux to deliver it; at most one object store and operator."""
    repository(record, findings)
    for name, cluster in record["clusters"].items():
        wanted = cluster["services"]
        if not isinstance(wanted, list) or not all(isinstance(each, str) for each in wanted):
            findings.error(name, VARIABLE, f"'{wanted}' is no list of names", "Write a list: [postgres, dagster].")
            continue
        for unknown in sorted(set(wanted) - set(inventory.services)):
            step = did_you_mean(unknown, inventory.services)
            findings.error(name, VARIABLE, f"there is no role of a service '{unknown}'", step)
        for twice in sorted({each for each in wanted if wanted.count(each) > 1}):
            findings.error(name, VARIABLE, f"'{twice}' stands there twice", "Leave one of them out.")
        other = sorted({*wanted} & {*OBJECT_STORES} - {record["platform"]["object_store"]})
        if other:
            step = f"Leave it out, or set platform_object_store: {other[0]}."
            problem = f"{other[0]} is not the object store, {record['platform']['object_store']} is"
            findings.error(name, VARIABLE, problem, step)
        operator(name, wanted, record["platform"]["database"], findings)
        if wanted and record["platform"]["source"] == "none":
            step = "Set platform_source: oci or git, or leave the services out."
            findings.error(name, VARIABLE, "services need Flux, but platform_source is none", step)


def operator(name: str, wanted: list[str], database: str, findings: Findings) -> None:
    """CloudNativePG is there exactly where it has a database to run."""
    needed = database == OPERATOR and DATABASE in wanted
    if needed and OPERATOR not in wanted:
        step = f"Add {OPERATOR}, or set platform_database: {DATABASE}."
        findings.error(name, VARIABLE, f"{DATABASE} lacks {OPERATOR}, which is to run it", step)
    if OPERATOR in wanted and not needed:
        step = f"Add {DATABASE} and set platform_database: {OPERATOR}, or leave it out."
        findings.error(name, VARIABLE, f"{OPERATOR} has no database to run", step)


def repository(record: dict[str, Any], findings: Findings) -> None:
    """Flux finds the Git repository, if it shall read one; it knows no user@host:path."""
    url = str(record["platform"]["git_url"])
    if record["platform"]["source"] != "git" or re.fullmatch(r"(https?://[^\s/@]+|ssh://[^\s/]+)/\S+", url):
        return
    problem = f"'{url}' is no URL that Flux reads" if url else "is not set, but platform_source is git"
    step = "Write https://git.example.org/team/fleet.git, or ssh://git@git.example.org/team/fleet.git."
    if url.startswith("http") and "@" in url:
        # Not shown: it may be a password.
        problem, step = "holds who reads it", "Write the URL alone; who reads it stands in flux_git_secret."
    findings.error(record["name"], "platform_git_url", problem, step)
