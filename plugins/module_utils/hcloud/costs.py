# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What remains at Hetzner Cloud and what it costs. Pure."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from .resources import carries

Record = dict[str, Any]
CENT = Decimal("0.01")


def costs(
    pricing: Record,
    servers: list[Record],
    volumes: list[Record],
    balancers: list[Record],
    addresses: list[Record],
    snapshots: list[Record],
) -> list[str]:
    """The monthly cost of each resource, and the total, as lines of text; empty if nothing remains.

    :param pricing: the answer to GET /pricing, {"currency": "EUR", "server_types": [...], …}.
    :param servers, volumes, balancers, addresses: as the info modules of hetzner.hcloud return them.
    :param snapshots: the answer to GET /images.
    """
    types = {one["name"]: one["prices"] for one in pricing["server_types"] + pricing["load_balancer_types"]}
    ips = {one["type"]: one["prices"] for one in pricing["primary_ips"]}
    per_gb = {kind: Decimal(pricing[kind]["price_per_gb_month"]["net"]) for kind in ("volume", "image")}
    found: list[tuple[str, Decimal | None]] = []
    for one in servers:
        what = f"server {one['name']} ({one['server_type']} at {one['location']})"
        found.append((what, _at(types.get(one["server_type"], []), one["location"])))
    for one in addresses:
        found.append((f"primary IP {one['ip']}", _at(ips.get(one["type"], []), one["location"])))
    for one in balancers:
        what = f"load balancer {one['name']} ({one['load_balancer_type']})"
        found.append((what, _at(types.get(one["load_balancer_type"], []), one["location"])))
    for one in volumes:
        found.append((f"volume {one['name']} ({one['size']} GB)", one["size"] * per_gb["volume"]))
    for one in snapshots:
        size = Decimal(str(one["image_size"] or 0))
        found.append((f"snapshot {one['description']} ({size} GB)", size * per_gb["image"]))
    return _lines(found, pricing["currency"])


def of_servers(addresses: list[Record], servers: list[Record], fleet: dict[str, str]) -> list[Record]:
    """Primary IPs that are assigned to these servers or have the fleet's labels."""
    ids = {one["id"] for one in servers}
    return [one for one in addresses if one["assignee_id"] in ids or carries(one, fleet)]


def snapshots_of(images: list[Record], servers: list[Record], fleet: dict[str, str]) -> list[Record]:
    """Snapshots that were taken of these servers or have the fleet's labels."""
    ids = {one["id"] for one in servers}
    mine = [one for one in images if (one["created_from"] or {}).get("id") in ids]
    return mine + [one for one in images if one not in mine and carries(one, fleet)]


def _at(prices: list[Record], location: str) -> Decimal | None:
    """The monthly price at a location, None where the API gives none."""
    return next((Decimal(one["price_monthly"]["net"]) for one in prices if one["location"] == location), None)


def _lines(found: list[tuple[str, Decimal | None]], currency: str) -> list[str]:
    if not found:
        return []
    lines = [
        f"{what}: {f'{_cents(price)} {currency}' if price is not None else 'price unknown'}" for what, price in found
    ]
    total = _cents(sum((price for _what, price in found if price is not None), Decimal(0)))
    return [*lines, f"total: {total} {currency} a month without VAT, at Hetzner's current prices"]


def _cents(price: Decimal) -> Decimal:
    return price.quantize(CENT, ROUND_HALF_UP)
