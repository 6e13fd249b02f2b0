# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Next steps for errors of Hetzner's API, and for values that Hetzner does not offer. Pure.

Codes: https://docs.hetzner.cloud/reference/cloud#description/errors
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..findings import Finding, did_you_mean

AGAIN = "Run again: resources that were created are found by their labels."
WRITE = "The token lacks permission. Create one with read and write access in the Cloud Console (Security, API tokens)."
STEPS = {
    "resource_limit_exceeded": "The project has reached its limit. Request a higher one in the Cloud Console (Limits), "
    "or delete unused resources, and run again.",
    "resource_unavailable": "Hetzner has no {server_type} at {location} now. Set another machine_hcloud_location or "
    "machine_hcloud_server_type for {node}, or run again later.",
    "placement_error": "Hetzner cannot place another {server_type} at {location} on a separate host. Set another "
    "machine_hcloud_location or machine_hcloud_server_type for {node}, or run again later.",
    "rate_limit_exceeded": "The project has reached its rate limit (3600 requests an hour, refilled at one a second). "
    "Wait a few minutes and run again; nothing else should use the project's tokens meanwhile.",
    "unauthorized": "Hetzner does not accept the token. Set machine_hcloud_token or HCLOUD_TOKEN to one of the "
    "project.",
    "token_readonly": WRITE,
    "forbidden": WRITE,
    "uniqueness_error": "The project has a resource of this name or key without the labels of the fleet. Rename or "
    "delete it, or use a separate project for the fleet.",
    "conflict": f"Another operation is changing it. {AGAIN}",
    "locked": f"Another operation is changing it. {AGAIN}",
    "protected": "It is protected against deletion. Remove the protection in the Cloud Console, and run again.",
    "invalid_input": "Correct what the API names above in the variables machine_hcloud_* of {node}.",
}
# Module location_info does not return them; https://docs.hetzner.com/cloud/general/locations
ZONES = {
    "ash": "us-east",
    "fsn1": "eu-central",
    "hel1": "eu-central",
    "hil": "us-west",
    "nbg1": "eu-central",
    "sin": "ap-southeast",
}


def explain(result: dict[str, Any], node: str, wanted: dict[str, Any]) -> str:
    """The error of a hetzner.hcloud module, with the next step.

    :param result: the task's result, or that of the first failed item of a loop; other errors are returned as they are.
    :param node: the machine, and ``wanted`` its server_type, location and image.
    """
    result = next((one for one in result.get("results") or [] if one.get("failed")), result)
    failure = result.get("failure") or (result.get("json") or {}).get("error") or {}
    action = failure.get("action") or {}
    code = failure.get("code") or (action.get("error") or {}).get("code")
    message = str(result.get("msg", "see the first failure above"))
    if not code:
        return message
    words = STEPS.get(str(code), f"Hetzner did not complete the action. {AGAIN}" if action else AGAIN)
    names = {"server_type": "such server", "location": "that location", **wanted, "node": node}
    details = "".join(
        f" {field['name']}: {', '.join(field['messages'])}."
        for field in (failure.get("details") or {}).get("fields", [])
    )
    return f"{message}.{details} {words.format(**names)}"


def unknown(
    wanted: dict[str, dict[str, Any]], types: list[Any], locations: list[Any], images: list[Any], zone: str
) -> list[Finding]:
    """Values in the inventory that Hetzner does not offer.

    :param types, locations, images: as the info modules of hetzner.hcloud return them.
    :param zone: the network zone, which a location must be in.
    """
    found = []
    places = {one["name"] for one in locations}
    offered = {one["name"]: one for one in types}

    def error(node: str, what: str, problem: str, step: str) -> None:
        found.append(Finding("error", node, f"machine_hcloud_{what}", problem, step))

    def require(node: str, what: str, value: str, known: Iterable[str]) -> None:
        if value not in known:
            error(node, what, f"Hetzner has no '{value}'", did_you_mean(value, known))

    for node, want in sorted(wanted.items()):
        kind, place, image = offered.get(want["server_type"]), want["location"], str(want["image"])
        require(node, "server_type", want["server_type"], offered)
        require(node, "location", place, places)
        if place in places and (here := ZONES.get(place, zone)) != zone:
            step = f"Set machine_hcloud_network_zone: {here}, or a location in {zone}."
            error(node, "location", f"{place} is in {here}, the network in {zone}", step)
        if not image.isdigit():
            names = {one["name"] for one in images if not kind or one["architecture"] == kind["architecture"]}
            require(node, "image", image, names)
        sold = {each["name"]: each["available"] for each in kind["locations"]} if kind else {}
        if kind and place in places and not sold.get(place):
            others = ", ".join(sorted(name for name, there in sold.items() if there)) or "no location"
            step = "Set another machine_hcloud_location or machine_hcloud_server_type, or run again later."
            error(node, "location", f"Hetzner has no {kind['name']} at {place} now", f"{step} Available at: {others}.")
    return found
