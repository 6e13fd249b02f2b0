# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The services of each cluster, and where Flux reads them. Pure."""

from __future__ import annotations

import re
from dataclasses import asdict

from ...findings import Findings, did_you_mean
from ...service import declaration
from ...service.declaration import Service
from ..record import FleetRecord, Inventory
from ..schema import OBJECT_STORES

VARIABLE = "cluster_services"
DATABASE, OPERATOR = "postgres", "cloudnative_pg"


def services(inventory: Inventory, record: FleetRecord, findings: Findings) -> None:
    """Every service has a role and what it requires; fills in `services` and `service_roles` of each cluster.

    services: the roles as in cluster_services, those of this collection by their short names.
    service_roles: the services that they declare, in the same order.
    """
    repository(record, findings)
    for name, cluster in record["clusters"].items():
        wanted = cluster["services"]
        cluster["service_roles"] = []
        if not isinstance(wanted, list) or not all(isinstance(each, str) for each in wanted):
            findings.error(name, VARIABLE, f"'{wanted}' is not a list of roles", "Write a list: [postgres, dagster].")
            continue
        wanted = cluster["services"] = [declaration.key(each) for each in wanted]
        for twice in sorted({each for each in wanted if wanted.count(each) > 1}):
            findings.error(name, VARIABLE, f"'{twice}' is listed twice", "Remove one of them.")
        declared = _declared(inventory, name, list(dict.fromkeys(wanted)), findings)
        cluster["service_roles"] = [asdict(each) for each in declared]
        if len(declared) == len({*wanted}):
            _together(name, declared, str(record["platform"]["object_store"]), findings)
        other = sorted({*wanted} & {*OBJECT_STORES} - {record["platform"]["object_store"]})
        if other:
            step = f"Remove it, or set platform_object_store: {other[0]}."
            problem = f"{other[0]} is not the object store, {record['platform']['object_store']} is"
            findings.error(name, VARIABLE, problem, step)
        operator(name, wanted, record["platform"]["database"], findings)
        if wanted and record["platform"]["source"] == "none":
            step = "Set platform_source: oci or git, or remove the services."
            findings.error(name, VARIABLE, "services need Flux, but platform_source is none", step)


def _declared(inventory: Inventory, cluster: str, wanted: list[str], findings: Findings) -> list[Service]:
    """The services that the roles declare; only valid ones."""
    valid = []
    for name in wanted:
        role = inventory.services.get(name)
        if not role:
            known = [each for each, found in inventory.services.items() if found.declaration is not None]
            step = did_you_mean(name, known)
            full = re.fullmatch(r"(\w+\.\w+)\.\w+", name)
            if full and not any(each.startswith(f"{full[1]}.") for each in inventory.services):
                step = f"Correct the name, or install the collection: ansible-galaxy collection install {full[1]}"
            findings.error(cluster, VARIABLE, f"there is no service role '{name}'", step)
            continue
        service, faults = declaration.read(name, role)
        for fault in faults:
            where = f", {declaration.FILE}: {fault.variable}" if fault.variable else ""
            findings.error(cluster, VARIABLE, f"role '{name}'{where} {fault.problem}", fault.step)
        valid += [] if faults else [service]
    return valid


def _together(cluster: str, declared: list[Service], store: str, findings: Findings) -> None:
    """Names are unique, and what services require is there."""
    owners: dict[str, str] = {}
    for each in declared:
        owner = owners.setdefault(each.name, each.role)
        if owner != each.role:
            problem = f"roles {owner} and {each.role} both declare service '{each.name}'"
            step = f"Remove one, or set another name in {declaration.FILE} of one of them."
            findings.error(cluster, VARIABLE, problem, step)
    providers = {"database": DATABASE, "bucket": store}
    for each in declared:
        for need in sorted({*each.requires, *(providers[feature] for feature in each.features)} - owners.keys()):
            step = f"Add it, or remove {each.name}. {did_you_mean(need, owners)}"
            findings.error(cluster, VARIABLE, f"service {each.name} requires {need}, which is not listed", step)


def operator(name: str, wanted: list[str], database: str, findings: Findings) -> None:
    """CloudNativePG is enabled exactly where it runs the database."""
    needed = database == OPERATOR and DATABASE in wanted
    if needed and OPERATOR not in wanted:
        step = f"Add {OPERATOR}, or set platform_database: {DATABASE}."
        findings.error(name, VARIABLE, f"{DATABASE} requires {OPERATOR}, the operator that runs it", step)
    if OPERATOR in wanted and not needed:
        step = f"Add {DATABASE} and set platform_database: {OPERATOR}, or remove it."
        findings.error(name, VARIABLE, f"{OPERATOR} has no database to run", step)


def repository(record: FleetRecord, findings: Findings) -> None:
    """Flux can read the Git repository, if there is one; it does not take user@host:path."""
    url = str(record["platform"]["git_url"])
    if record["platform"]["source"] != "git" or re.fullmatch(r"(https?://[^\s/@]+|ssh://[^\s/]+)/\S+", url):
        return
    problem = f"'{url}' is not a URL that Flux can read" if url else "is not set, but platform_source is git"
    step = "Write https://git.example.org/team/fleet.git, or ssh://git@git.example.org/team/fleet.git."
    if "@" in url and not re.fullmatch(r"(ssh://)?git@[^\s@]+", url):
        # Not shown: it may be a password.
        problem, step = "contains credentials", "Write the URL without them, and set flux_git_secret."
    findings.error(record["name"], "platform_git_url", problem, step)
