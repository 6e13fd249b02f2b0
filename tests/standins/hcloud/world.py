# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The state of the stand-in for Hetzner Cloud, and what each call does to it. Only the calls that the role makes."""

import base64
import hashlib
import ipaddress
import itertools
from typing import Any

from standins.hcloud import offer

Object = dict[str, Any]


class Refusal(Exception):
    """An answer of the API that is an error."""

    def __init__(self, status: int, code: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.status, self.body = status, {"error": {"code": code, "message": message, "details": details}}


def invalid(field: str, message: str) -> Refusal:
    """422, with the field that is wrong."""
    details = {"fields": [{"name": field, "messages": [message]}]}
    return Refusal(422, "invalid_input", f"invalid input in field '{field}'", details)


class World:
    """One project. polls: how often an action says that it is running; failing: the command whose actions fail."""

    def __init__(self) -> None:
        self.things: dict[str, dict[int, Object]] = {
            "locations": {one["id"]: one for one in offer.LOCATIONS},
            "server_types": {one["id"]: one for one in offer.SERVER_TYPES},
            "load_balancer_types": {one["id"]: one for one in offer.LOAD_BALANCER_TYPES},
            "images": {one["id"]: one for one in offer.IMAGES},
            **{kind: {} for kind in ("servers", "networks", "firewalls", "placement_groups", "ssh_keys")},
            **{kind: {} for kind in ("load_balancers", "volumes", "primary_ips", "actions")},
        }
        self.polls, self.failing = 0, ""
        self.user_data: dict[str, str] = {}
        self._numbers, self._hosts, self._balancers = (itertools.count(start) for start in (1001, 1, 201))
        self._waits: dict[int, int] = {}

    def get(self, kind: str, number: int) -> Object:
        if number not in self.things[kind]:
            raise Refusal(404, "not_found", f"{kind} with ID '{number}' not found")
        if kind == "actions":
            self._proceed(number)
        return self.things[kind][number]

    def find(self, kind: str, name: Any) -> Object:
        """A thing by the name or ID that a request holds."""
        found = [one for one in self.things[kind].values() if str(name) in (one["name"], str(one["id"]))]
        if not found:
            raise invalid(kind.removesuffix("s"), f"{name} does not exist")
        return found[0]

    def by_name(self, kind: str, name: str) -> Object:
        """For tests: the thing of this name."""
        return next(one for one in self.things[kind].values() if one["name"] == name)

    def keep(self, kind: str, name: str, **values: Any) -> Object:
        if not name:
            raise invalid("name", "is required")
        if any(one["name"] == name for one in self.things[kind].values()):
            raise Refusal(409, "uniqueness_error", f"{kind.removesuffix('s')} name is already used")
        number = next(self._numbers)
        thing = {"id": number, "name": name, "created": offer.NOW, "labels": {}, **values}
        self.things[kind][number] = thing
        return thing

    def action(self, command: str, kind: str, number: int) -> Object:
        """An action that is done already, or says so after some polls."""
        it = {
            "id": next(self._numbers),
            "command": command,
            "status": "running",
            "progress": 0,
            "started": offer.NOW,
            "finished": None,
            "resources": [{"id": number, "type": kind}],
            "error": None,
        }
        self.things["actions"][it["id"]] = it
        self._waits[it["id"]] = self.polls
        return it

    def _proceed(self, number: int) -> None:
        action, left = self.things["actions"][number], self._waits[number]
        self._waits[number] = left - 1
        if left <= 0 and action["status"] == "running":
            failed = action["command"] == self.failing
            error = {"code": "action_failed", "message": "Action failed"} if failed else None
            action |= {
                "status": "error" if failed else "success",
                "progress": 100,
                "finished": offer.NOW,
                "error": error,
            }

    def create_network(self, body: Object) -> Object:
        extra = {"subnets": [], "routes": [], "servers": [], "load_balancers": []}
        more = {"protection": {"delete": False}, "expose_routes_to_vswitch": False, "labels": body.get("labels") or {}}
        return {"network": self.keep("networks", body["name"], ip_range=body["ip_range"], **extra, **more)}

    def add_subnet(self, network: Object, body: Object) -> Object:
        net = ipaddress.ip_network(body["ip_range"])
        if not net.subnet_of(ipaddress.ip_network(network["ip_range"])):
            raise invalid("ip_range", "is not part of the network")
        network["subnets"].append({**body, "gateway": str(ipaddress.ip_network(network["ip_range"])[1])})
        return {"action": self.action("add_subnet", "network", network["id"])}

    def create_placement_group(self, body: Object) -> Object:
        group = self.keep(
            "placement_groups", body["name"], type=body["type"], servers=[], labels=body.get("labels") or {}
        )
        return {"placement_group": group, "action": None}

    def create_ssh_key(self, body: Object) -> Object:
        mark = _pairs(hashlib.md5(base64.b64decode(body["public_key"].split()[1])).hexdigest())
        values = {"public_key": body["public_key"], "fingerprint": mark, "labels": body.get("labels") or {}}
        return {"ssh_key": self.keep("ssh_keys", body["name"], **values)}

    def create_firewall(self, body: Object) -> Object:
        rules = [_rule(rule) for rule in body.get("rules", [])]
        wall = self.keep("firewalls", body["name"], rules=rules, applied_to=[], labels=body.get("labels") or {})
        return {"firewall": wall, "actions": []}

    def set_rules(self, wall: Object, body: Object) -> Object:
        wall["rules"] = [_rule(rule) for rule in body["rules"]]
        return {"actions": [self.action("set_firewall_rules", "firewall", wall["id"])]}

    def apply_to_resources(self, wall: Object, body: Object) -> Object:
        for one in body["apply_to"]:
            self._apply(wall, self.get("servers", one["server"]["id"]))
        return {"actions": [self.action("apply_firewall", "firewall", wall["id"])]}

    def _apply(self, wall: Object, server: Object) -> None:
        wall["applied_to"].append({"type": "server", "server": {"id": server["id"]}})
        server["public_net"]["firewalls"].append({"id": wall["id"], "status": "applied"})

    def create_server(self, body: Object) -> Object:
        kind, place = self.find("server_types", body["server_type"]), self.find("locations", body["location"])
        picture = self.find("images", body["image"])
        for key in body.get("ssh_keys", []):
            self.find("ssh_keys", key)
        count = next(self._hosts)
        labels = body.get("labels") or {}
        server = self.keep("servers", body["name"], **_server(kind, place, picture), labels=labels)
        net = server["public_net"]
        for version, address in (("ipv4", f"203.0.113.{count}"), ("ipv6", f"2001:db8:{count:x}::/64")):
            pointer = {"ip": address, "dns_ptr": "static.example.org"}
            ip = self.keep(
                "primary_ips",
                f"primary_ip-{server['id']}-{version}",
                ip=address,
                type=version,
                assignee_id=server["id"],
                assignee_type="server",
                auto_delete=True,
                blocked=False,
                dns_ptr=[pointer],
                location=place,
                datacenter=_datacenter(place),
                protection={"delete": False},
            )
            names = [] if version == "ipv6" else pointer["dns_ptr"]
            net[version] = {"id": ip["id"], "ip": address, "blocked": False, "dns_ptr": names}
        if number := body.get("placement_group"):
            group = self.get("placement_groups", number)
            if len(group["servers"]) >= 10:
                raise Refusal(422, "placement_error", "error during placement")
            group["servers"].append(server["id"])
            server["placement_group"] = group
        for one in body.get("firewalls", []):
            self._apply(self.get("firewalls", one["firewall"]), server)
        server["status"] = "running" if body.get("start_after_create", True) else "off"
        self.user_data[server["name"]] = body.get("user_data", "")
        action = self.action("create_server", "server", server["id"])
        return {"server": server, "action": action, "next_actions": [], "root_password": None}

    def attach_server(self, server: Object, body: Object) -> Object:
        network = self.get("networks", body["network"])
        ip = self._free(network, body)
        server["private_net"].append(
            {"network": network["id"], "ip": ip, "alias_ips": [], "mac_address": "86:00:00:00:00:01"}
        )
        network["servers"].append(server["id"])
        return {"action": self.action("attach_to_network", "server", server["id"])}

    def attach_balancer(self, balancer: Object, body: Object) -> Object:
        network = self.get("networks", body["network"])
        balancer["private_net"].append({"network": network["id"], "ip": self._free(network, body)})
        network["load_balancers"].append(balancer["id"])
        return {"action": self.action("attach_to_network", "load_balancer", balancer["id"])}

    def _free(self, network: Object, body: Object) -> str:
        """The wanted address, or the next of the wanted subnet."""
        owners = [*self.things["servers"].values(), *self.things["load_balancers"].values()]
        used = {net["ip"] for one in owners for net in one["private_net"] if net["network"] == network["id"]}
        used |= {subnet["gateway"] for subnet in network["subnets"]}
        nets = [ipaddress.ip_network(subnet["ip_range"]) for subnet in network["subnets"]]
        if wanted := body.get("ip"):
            if wanted in used or not any(ipaddress.ip_address(wanted) in net for net in nets):
                raise invalid("ip", "is not available in the network")
            return wanted
        nets = [net for net in nets if str(net) == body.get("ip_range", str(net))]
        return next(str(address) for net in nets for address in net.hosts() if str(address) not in used)

    def power_on(self, server: Object, _body: Object) -> Object:
        server["status"] = "running"
        return {"action": self.action("start_server", "server", server["id"])}

    def change_type(self, server: Object, body: Object) -> Object:
        if server["status"] != "off":
            raise Refusal(412, "server_not_stopped", "server is not stopped")
        server["server_type"] = self.find("server_types", body["server_type"])
        return {"action": self.action("change_server_type", "server", server["id"])}

    def create_load_balancer(self, body: Object) -> Object:
        number = next(self._balancers)
        addresses = {"ipv4": f"203.0.113.{number}", "ipv6": f"2001:db8::{number}"}
        public = {version: {"ip": address, "dns_ptr": None} for version, address in addresses.items()}
        balancer = self.keep(
            "load_balancers",
            body["name"],
            labels=body.get("labels") or {},
            load_balancer_type=self.find("load_balancer_types", body["load_balancer_type"]),
            location=self.find("locations", body["location"]),
            algorithm=body.get("algorithm") or {"type": "round_robin"},
            public_net={"enabled": True, **public},
            private_net=[],
            services=[],
            targets=[],
            protection={"delete": False},
            included_traffic=1,
            ingoing_traffic=None,
            outgoing_traffic=None,
        )
        return {
            "load_balancer": balancer,
            "action": self.action("create_load_balancer", "load_balancer", balancer["id"]),
        }

    def add_target(self, balancer: Object, body: Object) -> Object:
        if body.get("use_private_ip") and not balancer["private_net"]:
            raise Refusal(422, "load_balancer_not_attached_to_network", "load balancer is not attached to a network")
        balancer["targets"].append({"health_status": [], "targets": [], **body})
        return {"action": self.action("add_target", "load_balancer", balancer["id"])}

    def add_service(self, balancer: Object, body: Object) -> Object:
        if any(one["listen_port"] == body["listen_port"] for one in balancer["services"]):
            raise Refusal(409, "source_port_already_used", "source port already used")
        balancer["services"].append(body)
        return {"action": self.action("add_service", "load_balancer", balancer["id"])}

    def update_service(self, balancer: Object, body: Object) -> Object:
        service = next(one for one in balancer["services"] if one["listen_port"] == body["listen_port"])
        service |= body
        return {"action": self.action("update_service", "load_balancer", balancer["id"])}

    def delete(self, kind: str, number: int) -> Object:
        """Delete a thing and what the real API deletes or lets go with it."""
        thing = self.get(kind, number)
        if (thing.get("protection") or {}).get("delete"):
            raise Refusal(423, "protected", f"{kind.removesuffix('s')} deletion is protected")
        in_use = thing.get("applied_to") or (kind == "networks" and (thing["servers"] or thing["load_balancers"]))
        if in_use or (kind == "volumes" and thing["server"]):
            raise Refusal(422, "resource_in_use", f"{kind.removesuffix('s')} is still in use")
        del self.things[kind][number]
        others = itertools.chain.from_iterable(self.things[one].values() for one in ("networks", "placement_groups"))
        for other in others:
            for members in (other.get(name, []) for name in ("servers", "load_balancers")):
                if number in members:
                    members.remove(number)
        if kind != "servers":
            return {}
        for wall in self.things["firewalls"].values():
            wall["applied_to"] = [one for one in wall["applied_to"] if one["server"]["id"] != number]
        for volume in self.things["volumes"].values():
            volume["server"] = None if volume["server"] == number else volume["server"]
        mine = [ip["id"] for ip in self.things["primary_ips"].values() if ip["assignee_id"] == number]
        for ip in mine:
            del self.things["primary_ips"][ip]
        return {"action": self.action("delete_server", "server", number)}

    def add_volume(self, name: str, size: int, server: str | None = None, **more: Any) -> Object:
        """For tests: a volume, as the CSI driver makes it."""
        return self.keep(
            "volumes",
            name,
            size=size,
            server=self.by_name("servers", server)["id"] if server else None,
            location=offer.LOCATIONS[0],
            linux_device=f"/dev/disk/by-id/{name}",
            protection={"delete": False},
            status="available",
            format=None,
            **more,
        )


def _pairs(text: str) -> str:
    return ":".join(text[at : at + 2] for at in range(0, len(text), 2))


def _rule(rule: Object) -> Object:
    if rule["direction"] == "in" and not rule.get("source_ips"):
        raise invalid("rules", "source_ips is required for direction in")
    return {"port": None, "source_ips": [], "destination_ips": [], "description": None, **rule}


def _datacenter(place: Object) -> Object:
    types = {"supported": [], "available": [], "available_for_migration": []}
    return {"id": 1, "name": f"{place['name']}-dc1", "description": "", "location": place, "server_types": types}


def _server(kind: Object, place: Object, picture: Object) -> Object:
    return {
        "server_type": kind,
        "location": place,
        "datacenter": _datacenter(place),
        "image": picture,
        "iso": None,
        "locked": False,
        "backup_window": None,
        "included_traffic": 1,
        "ingoing_traffic": None,
        "outgoing_traffic": None,
        "load_balancers": [],
        "placement_group": None,
        "primary_disk_size": 40,
        "private_net": [],
        "protection": {"delete": False, "rebuild": False},
        "public_net": {"firewalls": [], "floating_ips": [], "ipv4": None, "ipv6": None},
        "rescue_enabled": False,
        "volumes": [],
    }
