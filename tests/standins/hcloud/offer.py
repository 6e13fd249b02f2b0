# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What the stand-in for Hetzner Cloud offers: a little of what the real one does, with invented prices."""

from typing import Any

Object = dict[str, Any]
NOW = "2026-11-01T12:00:00+00:00"


def money(net: str) -> Object:
    return {"net": net, "gross": net}


def prices(net: str) -> list[Object]:
    """The same price at each location."""
    return [
        {
            "location": place["name"],
            "price_hourly": money("0.0100"),
            "price_monthly": money(net),
            "included_traffic": 1 << 40,
            "price_per_tb_traffic": money("1.0000"),
        }
        for place in LOCATIONS
    ]


def location(number: int, name: str, zone: str) -> Object:
    return {
        "id": number,
        "name": name,
        "description": name,
        "country": "XX",
        "city": name,
        "latitude": 1.0,
        "longitude": 1.0,
        "network_zone": zone,
    }


def server_type(number: int, name: str, net: str, architecture: str, places: list[str]) -> Object:
    return {
        "id": number,
        "name": name,
        "description": name,
        "category": "Shared",
        "cores": 2,
        "memory": 4.0,
        "disk": 40,
        "storage_type": "local",
        "cpu_type": "shared",
        "architecture": architecture,
        "deprecated": False,
        "deprecation": None,
        "prices": prices(net),
        # The last two are newer than the contract, and what hetzner.hcloud 6.12 reads.
        "locations": [
            {"id": place["id"], "name": place["name"], "deprecation": None, "available": True, "recommended": True}
            for place in LOCATIONS
            if place["name"] in places
        ],
    }


def image(number: int, name: str | None, kind: str = "system", **more: Any) -> Object:
    base = {
        "id": number,
        "name": name,
        "type": kind,
        "status": "available",
        "description": name or "",
        "image_size": None,
        "disk_size": 5,
        "created": NOW,
        "created_from": None,
        "bound_to": None,
        "os_flavor": "debian",
        "os_version": "13",
        "rapid_deploy": True,
        "protection": {"delete": False},
        "deprecated": None,
        "deleted": None,
        "labels": {},
        "architecture": "x86",
    }
    return {**base, **more}


LOCATIONS = [location(1, "fsn1", "eu-central"), location(2, "nbg1", "eu-central"), location(3, "ash", "us-east")]
SERVER_TYPES = [
    server_type(1, "cx23", "3.4900", "x86", ["fsn1", "nbg1"]),
    server_type(2, "cx33", "5.4900", "x86", ["fsn1", "nbg1", "ash"]),
    server_type(3, "cax11", "3.7900", "arm", ["fsn1"]),
]
IMAGES = [image(11, "debian-13"), image(12, "debian-12"), image(13, "debian-13", architecture="arm")]
LOAD_BALANCER_TYPES = [
    {
        "id": 1,
        "name": "lb11",
        "description": "LB11",
        "max_connections": 10000,
        "max_services": 5,
        "max_targets": 25,
        "max_assigned_certificates": 10,
        "deprecated": None,
        "prices": prices("5.3900"),
    }
]


def priced(types: list[Object]) -> list[Object]:
    return [{key: one[key] for key in ("id", "name", "prices")} for one in types]


PRICING = {
    "currency": "EUR",
    "vat_rate": "19.000000",
    "image": {"price_per_gb_month": money("0.0110")},
    "volume": {"price_per_gb_month": money("0.0440")},
    "floating_ip": {"price_monthly": money("3.0000")},
    "floating_ips": [{"type": "ipv4", "prices": []}],
    "primary_ips": [
        {"type": kind, "prices": [{key: one[key] for key in one if "traffic" not in key} for one in prices(net)]}
        for kind, net in (("ipv4", "0.5000"), ("ipv6", "0.0000"))
    ],
    "server_backup": {"percentage": "20.0000000000"},
    "server_types": priced(SERVER_TYPES),
    "load_balancer_types": priced(LOAD_BALANCER_TYPES),
}
