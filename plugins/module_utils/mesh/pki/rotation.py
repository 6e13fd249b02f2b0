# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The order in which the CA of a mesh is replaced, and whom the next phase would cut off. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

PHASES = ("prepare", "switch", "finish")
_ELSEWHERE = (
    "clustermesh_ca_cert: this CA is stored elsewhere, where it cannot be replaced. Copy it to {place} as ca.crt and "
    "ca.key (mode 0600), unset clustermesh_ca_cert and clustermesh_ca_key, run again, "
    "then move the new ca.crt and ca.key to your own storage"
)

Answer = Mapping[str, Any]  # what module cilium_clustermesh_info returned of the parts tls
Authority = Mapping[str, Any]  # what module cilium_clustermesh_ca returned


def refusals(to: str, limit: str, given: bool, kept: bool, place: str) -> list[str]:
    """Return why this run cannot replace the CA at all.

    :param to: the phase to stop after.
    :param limit: what --limit says.
    :param given: whether the CA is kept elsewhere.
    :param kept: whether a CA is there.
    :param place: the directory where this fleet keeps one.
    """
    found = []
    if to not in PHASES:
        found.append(f"rotate_to: '{to}' is no phase. Known: {', '.join(PHASES)}")
    if limit:
        found.append(f"--limit {limit}: a phase must reach every cluster of the mesh: run without --limit")
    if given:
        found.append(_ELSEWHERE.format(place=place))
    elif not kept:
        found.append(f"{place} has no CA yet. Create the fleet first: ./odp up INVENTORY")
    return found


def steps(answers: Mapping[str, Answer], authority: Authority, to: str, check: bool = False) -> list[str]:
    """Return the phases that follow, in order; stable completes one that an earlier run did not bring to all clusters.

    :param answers: by member.
    :param authority: the CA as it is.
    :param to: the phase to stop after; one before the present phase goes back to it.
    :param check: check mode makes nothing, so that it cannot look beyond the first.
    """
    phase = authority["phase"]
    if phase == "stable" and not all(_has(each, authority) for each in answers.values()):
        return ["stable"]
    start = 0 if phase == "stable" else min(PHASES.index(phase), PHASES.index(to))
    found = [*PHASES[start : PHASES.index(to) + 1]]
    return found[:1] if check else found


def summary(phases: list[str], phase: str) -> str:
    """Return what the run does from the present phase on, for people."""
    if phases == ["stable"]:
        return (
            "An earlier run did not bring the new CA to all clusters: this run completes that and creates no other CA."
        )
    return f"The CA of the mesh is in phase {phase}. What follows: {', '.join(phases)}."


def _has(answer: Answer, authority: Authority) -> bool:
    if not answer.get("cluster"):
        return True
    found = answer["cluster"]["tls"]
    signers = {leaf["issuer"] for leaf in found["leafs"].values()}
    return found["ca_fingerprints"] == authority["fingerprints"] and signers <= {authority["fingerprint"]}


def blockers(answers: Mapping[str, Answer], authority: Authority, phase: str) -> list[str]:
    """Return who is not ready for the phase and would be cut off by it, in the order of the names.

    :param answers: by member; one without a record and without a word is not made yet, in check mode.
    :param authority: the CA before the phase.
    :param phase: what is to come.
    """
    return [f"{name}: {text}" for name in sorted(answers) if (text := _lack(answers[name], authority, phase))]


def _lack(answer: Answer, authority: Authority, phase: str) -> str:
    record, again = answer.get("cluster"), "run again, which begins with the phase before"
    if not record:
        why = str(answer.get("msg") or "").rstrip(".")
        step = "repair it, or add it to clustermesh_absent if it no longer exists"
        return f"it did not answer ({why}): {step}" if why else ""
    if phase == "switch" and authority["phase"] == "prepare":
        missing = {*authority["fingerprints"]} - {*record["tls"]["ca_fingerprints"]}
        shown = ", ".join(sorted(each[:16] for each in missing))
        return f"it does not trust CA {shown} yet: {again}" if missing else ""
    if phase == "finish":
        leafs = record["tls"]["leafs"]
        old = sorted(name for name, leaf in leafs.items() if leaf["issuer"] != authority["fingerprint"])
        return f"its certificates {', '.join(old)} are not signed by the new CA yet: {again}" if old else ""
    return ""


def asked(members: Iterable[str], hostvars: Mapping[str, Any]) -> dict[str, Answer]:
    """Return the answers of all members from fact ``__clustermesh_trust``."""
    nobody = {"msg": "it is not in this run"}
    return {name: hostvars[name].get("__clustermesh_trust", nobody) for name in members}
