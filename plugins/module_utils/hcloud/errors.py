# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What to do about an error of Hetzner's API, and about names it does not know. Pure.

Codes: https://docs.hetzner.cloud/reference/cloud#description/errors
"""

from __future__ import annotations

from typing import Any

from ..findings import did_you_mean

AGAIN = "Run again: what was made is found by its labels."
WRITE = "The token may not do this. Make one that reads and writes in the Cloud Console (Security, API tokens)."
STEPS = {
    "resource_limit_exceeded": "The project has reached its limit. Ask for a higher one in the Cloud Console (Limits), "
    "or delete what you do not need there, and run again.",
    "resource_unavailable": "Hetzner has no {server_type} at {location} now. Set another machine_hcloud_location or "
    "machine_hcloud_server_type for {node}, or run again later.",
    "placement_error": "Hetzner cannot place another {server_type} at {location} apart from the others. Set another "
    "machine_hcloud_location or machine_hcloud_server_type for {node}, or run again later.",
    "rate_limit_exceeded": "The project has used up its requests (3600 an hour, they come back one a second). Wait a "
    "few minutes and run again; nothing else should use this project's tokens meanwhile.",
    "unauthorized": "Hetzner does not know the token. Set machine_hcloud_token or HCLOUD_TOKEN to one of the project.",
    "token_readonly": WRITE,
    "forbidden": WRITE,
    "uniqueness_error": "The project has something of this name or key without the labels of the fleet. Rename or "
    "delete it there, or give the fleet a project of its own.",
    "conflict": f"Something else changes it at the moment. {AGAIN}",
    "locked": f"Something else changes it at the moment. {AGAIN}",
    "protected": "It is protected against deletion. Take the protection away in the Cloud Console, and run again.",
    "invalid_input": "Correct what the API names above in the variables machine_hcloud_* of {node}.",
}
# The module location_info leaves them out; https://docs.hetzner.com/cloud/general/locations
ZONES = {
    "ash": "us-east",
    "fsn1": "eu-central",
    "hel1": "eu-central",
    "hil": "us-west",
    "nbg1": "eu-central",
    "sin": "ap-southeast",
}


def explain(result: dict[str, Any], node: str, wanted: dict[str, Any]) -> str:
    """The error of a module of hetzner.hcloud, and the next step.

    :param result: what the task returned, of a loop the first that failed; of another task its own message is told.
    :param node: the machine, and ``wanted`` what is wanted of it.
    """
    result = next((one for one in result.get("results") or [] if one.get("failed")), result)
    failure = result.get("failure") or (result.get("json") or {}).get("error") or {}
    action = failure.get("action") or {}
    code = failure.get("code") or (action.get("error") or {}).get("code")
    told = str(result.get("msg", "see the first failure above"))
    if not code:
        return told
    words = STEPS.get(str(code), f"Hetzner did not finish it. {AGAIN}" if action else AGAIN)
    names = {"server_type": "such machine", "location": "that place", **wanted, "node": node}
    details = "".join(
        f" {field['name']}: {', '.join(field['messages'])}."
        for field in (failure.get("details") or {}).get("fields", [])
    )
    return f"{told}.{details} {words.format(**names)}"


def unknown(
    wanted: dict[str, dict[str, Any]], types: list[Any], locations: list[Any], images: list[Any], zone: str
) -> list[str]:
    """What Hetzner does not offer of what the machines want, each with the next step.

    :param types, locations, images: what the info modules of hetzner.hcloud say.
    :param zone: the network zone, which a location must be in.
    """
    found = []
    places = {one["name"] for one in locations}
    offered = {one["name"]: one for one in types}
    for node, want in sorted(wanted.items()):
        kind, place, image = offered.get(want["server_type"]), want["location"], str(want["image"])
        if not kind:
            found.append(_finding(node, "server_type", want["server_type"], offered))
        if place not in places:
            found.append(_finding(node, "location", place, places))
        elif (here := ZONES.get(place, zone)) != zone:
            step = f"Set machine_hcloud_network_zone: {here}, or a location in {zone}."
            found.append(f"{node}: machine_hcloud_location: {place} is in {here}, the network in {zone}. {step}")
        names = {one["name"] for one in images if not kind or one["architecture"] == kind["architecture"]}
        if not image.isdigit() and image not in names:
            found.append(_finding(node, "image", image, names))
        if kind and place in places:
            sold = {each["name"]: each["available"] for each in kind["locations"]}
            if not sold.get(place):
                others = ", ".join(sorted(name for name, there in sold.items() if there)) or "nowhere"
                words = STEPS["resource_unavailable"].format(**want, node=node)
                found.append(f"{node}: {words} It is available at: {others}.")
    return found


def _finding(node: str, what: str, value: Any, known: Any) -> str:
    return f"{node}: machine_hcloud_{what}: Hetzner has no '{value}'. {did_you_mean(str(value), known)}"
