# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Prepare this host for the machines of a fleet, or restore it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nspawn_host
short_description: Manage bridge, NAT and sysctls of a host for the machines of a fleet
version_added: 0.1.0
description:
  - With O(state=present) the host has the tools, a bridge with the first address of the network, an nft table that
    masquerades traffic leaving the bridge, IP forwarding, and inotify limits for many machines.
  - Every sysctl that this module or a guest may change is recorded in C(/var/lib/odp/<fleet>/host.json) before the
    first change.
  - With O(state=absent) everything that belongs to the fleet is removed, including running machines, and the sysctls
    are restored. Machines, bridges and tables of others are not changed. Another fleet on the host keeps the values
    that it needs.
attributes:
  check_mode: {description: Nothing is changed., support: full}
  diff_mode: {description: Lists what is created or removed., support: full}
options:
  fleet: {description: Name of the fleet., type: str, required: true}
  directory:
    description: Directory of the inventory that owns the fleet. A fleet of another directory is refused.
    type: path
    required: true
  network: {description: Network of the machines. Required with O(state=present)., type: str}
  bridge: {description: Name of the bridge. Required with O(state=present)., type: str}
  state:
    description: Whether the host is prepared for the fleet.
    type: str
    choices: [present, absent]
    default: present
author: Open Data Platform contributors (@opendata)
"""

EXAMPLES = r"""
- name: Prepare the host for the machines
  opendata.platform.nspawn_host:
    fleet: local
    directory: /srv/platform/inventories/local
    network: 10.77.0.0/24
    bridge: odp-local
"""

RETURN = r"""
changes:
  description: What was created or removed, one line each.
  type: list
  elements: str
  returned: always
  sample: ["bridge odp-local 10.77.0.1/24"]
exceptions:
  description: With O(state=absent), what cannot be undone, one line each.
  type: list
  elements: str
  returned: always
  sample: ["kernel.unprivileged_bpf_disabled stays 1 (was 2) until the host is rebooted"]
"""

import json

from ansible_collections.opendata.platform.plugins.module_utils.module import Module
from ansible_collections.opendata.platform.plugins.module_utils.nspawn import host
from ansible_collections.opendata.platform.plugins.module_utils.nspawn import layout as rules


class Host:
    """The host as a fleet needs it; ``changes`` lists what differs, which is changed unless in check mode."""

    def __init__(self, module: Module) -> None:
        self.check = module.check_mode
        self.fleet, self.directory = module.params["fleet"], module.params["directory"]
        self.network, self.bridge = module.params["network"], module.params["bridge"]
        self.changes: list[str] = []

    def converge(self) -> None:
        """Prepare the host for the machines. Raises HostError."""
        self._tools()
        self._record()
        self._sysctls()
        self._bridge()
        self._table()

    def _change(self, what: str) -> bool:
        """Record a change and return whether to apply it."""
        self.changes.append(what)
        return not self.check

    def _tools(self) -> None:
        self.installed: list[str] = []
        if missing := sorted(set(host.missing_packages().values())):
            self.changes += [f"package {package}" for package in missing]
            if not self.check:
                self.installed = host.install(missing)

    def _record(self) -> None:
        records = host.records()
        record = records.pop(self.fleet, None)
        if record and record["directory"] != self.directory:
            owner = record["directory"]
            raise host.HostError(f"fleet {self.fleet} on this host belongs to {owner}, not {self.directory}")
        others = [other["sysctls"] for other in records.values()]
        wanted = {
            "directory": self.directory,
            "bridge": self.bridge,
            "network": self.network,
            "packages": sorted({*(record or {}).get("packages", []), *self.installed}),
            "sysctls": record["sysctls"] if record else rules.remembered_sysctls(host.sysctls(), others),
        }
        if record != wanted and self._change(f"record {rules.STATE}/{self.fleet}/host.json"):
            host.write_record(self.fleet, wanted)

    def _sysctls(self) -> None:
        for name, value in sorted(rules.sysctls_to_set(host.sysctls()).items()):
            if self._change(f"sysctl {name} = {value}") and not host.set_sysctl(name, value):
                what = f"the kernel does not accept {name} = {value}"
                raise host.HostError(f"{what}: is this host a restricted container?")

    def _bridge(self) -> None:
        mac, address = rules.bridge_mac(self.fleet), rules.bridge_address(self.network)
        links = host.listed("ip", "-j", "-d", "addr", "show", "dev", self.bridge)
        link = links[0] if links else {}
        if link and link.get("linkinfo", {}).get("info_kind") != "bridge":
            what = f"machine_nspawn_bridge: {self.bridge} exists and is not a bridge"
            raise host.HostError(f"{what}. Choose another name.")
        if not link and self._change(f"bridge {self.bridge}"):
            host.run("ip", "link", "add", self.bridge, "address", mac, "type", "bridge")
        if "UP" not in link.get("flags", []) and self._change(f"bridge {self.bridge} up"):
            host.run("ip", "link", "set", self.bridge, "up")
        addresses = [f"{a['local']}/{a['prefixlen']}" for a in link.get("addr_info", [])]
        if address not in addresses and self._change(f"address {address} on {self.bridge}"):
            host.run("ip", "addr", "add", address, "dev", self.bridge)

    def _table(self) -> None:
        name = rules.table_name(self.fleet)
        wanted = rules.nft_objects(self.fleet, self.network, self.bridge)
        listing = host.listed("nft", "-j", "list", "table", "ip", name)
        if (rules.nft_stripped(listing) if listing else []) == wanted:
            return
        if self._change(f"nft table {name}"):
            gone = [{"add": wanted[0]}, {"delete": wanted[0]}]
            host.run("nft", "-j", "-f", "-", stdin=json.dumps({"nftables": [*gone, *({"add": o} for o in wanted)]}))


def main() -> None:
    """Read the task's options and prepare or restore the host."""
    module = Module(
        {
            "fleet": {"type": "str", "required": True},
            "directory": {"type": "path", "required": True},
            "network": {"type": "str"},
            "bridge": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ("network", "bridge"))],
    )
    fleet, present = module.params["fleet"], module.params["state"] == "present"
    changes, exceptions = list[str](), list[str]()
    try:
        if present:
            prepared = Host(module)
            changes = prepared.changes
            prepared.converge()
        else:
            changes, exceptions = host.remove_fleet(fleet, module.params["directory"], module.check_mode)
    except (host.HostError, OSError) as error:
        module.fail_json(msg=f"fleet {fleet}: {error}", changes=changes)
    lines = "".join(f"{line}\n" for line in changes)
    diff = {"before": "" if present else lines, "after": lines if present else ""}
    module.exit_json(changed=bool(changes), changes=changes, exceptions=exceptions, diff=diff)


if __name__ == "__main__":
    main()
