# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Find which writes connect a cluster with its peers, in order. Pure."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from ...kubernetes.manifests import Manifest
from ..chart import AGENT_SECRET, DEPLOYMENT, DOMAIN, KVSTOREMESH_SECRET, MANAGER, USERS, flavour
from . import entries, steps
from .steps import Aim, Step

# Required on the controller: libraries.require reports what is missing.
with contextlib.suppress(ImportError):
    import yaml

SECRETS = (AGENT_SECRET, KVSTOREMESH_SECRET)
EMPTY_PURGE = "purge with an empty peers list would disconnect everything; set allow_empty=true"
NO_RESTART = (
    "peer '{}' with addresses in ips needs hostAliases on Cilium {}, which restarts clustermesh-apiserver; "
    "give address: (DNS name or IP in the server certificate) or allow_restart=true"
)
NO_ALIASES = (
    "peer '{}' with addresses in ips needs hostAliases of the agents on Cilium {} without KVStoreMesh; "
    "give address: (DNS name or IP in the server certificate)"
)
_USER = "remote-"
_USERS_KEY = "users.yaml"


class Live(NamedTuple):
    """What the cluster is and has; objects by name, those that are absent are left out."""

    name: str
    version: str
    kvstoremesh: bool
    objects: Mapping[str, Manifest]


class Wish(NamedTuple):
    """What is asked for; gone holds the names of peers to remove."""

    peers: list[entries.Peer]
    gone: frozenset[str]
    namespace: str
    manager: str = MANAGER
    domain: str = DOMAIN
    fingerprint: str = ""
    purge: bool = False
    allow_empty: bool = False
    force: bool = False
    allow_restart: bool = True


@dataclass
class Plan:
    """Steps in order; refusals stand against all of them. An action is a peer's {action, endpoint}."""

    actions: dict[str, dict[str, Any]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    diff: list[dict[str, str]] = field(default_factory=list)
    restarts: bool = False

    def show(self, kind: str, name: str, before: str, after: str) -> None:
        """Add an object to Ansible's diff."""
        header = f"{kind} {name}"
        self.diff.append({"before_header": header, "after_header": header, "before": before, "after": after})

    def show_aim(self, aim: Aim) -> None:
        """Add what changes of an object's keys: entries by their meaning, users as they are."""
        before = {key: value for key, value in steps.contents(aim.live).items() if key in aim.put or key in aim.remove}
        after = {key: value for key, value in (before | aim.put).items() if key not in aim.remove}
        if before != after:
            self.show(aim.kind, aim.name, _text(aim.kind, before), _text(aim.kind, after))


def plan(live: Live, wish: Wish, now: datetime) -> Plan:
    """Return what is to be done."""
    made = Plan()
    there = {name: steps.contents(live.objects.get(name)) for name in SECRETS}
    users = entries.parse_users(steps.contents(live.objects.get(USERS)).get(_USERS_KEY, b"").decode())
    known = {key for data in there.values() for key, value in data.items() if entries.is_entry(value)}
    known |= {user.removeprefix(_USER) for user in users if user.startswith(_USER)}
    names = {peer.name for peer in wish.peers}
    gone = ((wish.gone | known if wish.purge else wish.gone) - names) - {live.name}
    if wish.purge and gone and not names and not wish.allow_empty:
        made.refusals.append(EMPTY_PURGE)

    aims = _aims(live, wish, there, gone)
    wanted_users = {name: role for name, role in users.items() if name not in {f"{_USER}{each}" for each in gone}}
    wanted_users |= {f"{_USER}{name}": "remote" for name in names}
    text = {_USERS_KEY: entries.render_users(wanted_users).encode()} if wanted_users != users else {}
    users_aim = steps.Aim("ConfigMap", USERS, live.objects.get(USERS), text)
    for aim in (users_aim, aims[KVSTOREMESH_SECRET], aims[AGENT_SECRET]):
        if not wish.force:
            found = steps.conflicts(aim, wish.manager).items()
            made.refusals += [steps.conflict(key, aim.kind, aim.name, managers) for key, managers in found]
        made.show_aim(aim)

    kvstore = aims[KVSTOREMESH_SECRET]
    leaving = gone & there[KVSTOREMESH_SECRET].keys()
    marks, made.warnings = steps.update_removals(steps.read_removals(kvstore.live), leaving, kvstore.put, now)
    notes = steps.removal_annotation(marks)
    for name in SECRETS:
        made.steps += steps.removal(aims[name], wish.manager, notes if name == KVSTOREMESH_SECRET else {})
    made.steps += steps.addition(users_aim, wish.manager, {})
    for name in reversed(SECRETS):
        made.steps += steps.addition(aims[name], wish.manager, notes if name == KVSTOREMESH_SECRET else {})
    renamed = _aliases(made, live, wish, names | gone)
    entered = {name for data in there.values() for name in data}

    for peer in wish.peers:
        touched = any(peer.name in aim.put for aim in aims.values()) or f"{_USER}{peer.name}" not in users
        action = "updated" if touched or peer.hostname in renamed else "unchanged"
        action = action if peer.name in entered else "created"
        made.actions[peer.name] = {"action": action, "endpoint": sorted(peer.urls)}
    for name in gone:
        removed = name in entered or f"{_USER}{name}" in users or f"{name}.{wish.domain}" in renamed
        made.actions[name] = {"action": "removed" if removed else "unchanged", "endpoint": []}
    made.actions = dict(sorted(made.actions.items()))
    return made


def _aims(live: Live, wish: Wish, there: dict[str, dict[str, bytes]], gone: frozenset[str]) -> dict[str, Aim]:
    """Return what both Secrets are to get and lose."""
    puts: dict[str, dict[str, bytes]] = {name: {} for name in SECRETS}
    for peer in wish.peers:
        style = flavour(live.version)
        rendered = entries.render(peer, style, wish.namespace, live.kvstoremesh, wish.fingerprint)
        for name, content in rendered.items():
            if not entries.same(content, there[name].get(peer.name, b"")):
                puts[name][peer.name] = content
    return {name: Aim("Secret", name, live.objects.get(name), puts[name], gone) for name in SECRETS}


def _aliases(made: Plan, live: Live, wish: Wish, named: set[str]) -> frozenset[str]:
    """Add the write of hostAliases, which restarts clustermesh-apiserver; return the hostnames that change."""
    needing = [peer for peer in wish.peers if peer.ips and not flavour(live.version).aliases_in_entries]
    if needing and not live.kvstoremesh:
        made.refusals += [NO_ALIASES.format(peer.name, live.version) for peer in needing]
        return frozenset()
    deployment = live.objects.get(DEPLOYMENT)
    if deployment is None:
        return frozenset()

    def settled(hostname: str) -> bool:
        return wish.purge or hostname.removesuffix(f".{wish.domain}") in named

    found = steps.plan_aliases(deployment, needing, settled, wish.manager, wish.force)
    if found.step and not wish.allow_restart:
        # An alias that nobody needs any more is left where a restart is not allowed.
        lacking = [peer.name for peer in needing if peer.hostname in found.hostnames]
        made.refusals += [NO_RESTART.format(name, live.version) for name in lacking]
        return frozenset()
    made.refusals += found.refusals
    if found.step:
        made.steps.append(found.step)
        made.restarts = True
        before = deployment["spec"]["template"]["spec"].get("hostAliases", [])
        after = (found.step.body.get("spec") or {}).get("template", {}).get("spec", {}).get("hostAliases", [])
        made.show("Deployment", DEPLOYMENT, yaml.safe_dump(before), yaml.safe_dump(after))
    return found.hostnames


def _text(kind: str, data: dict[str, bytes]) -> str:
    if kind != "Secret":
        return "".join(value.decode() for value in data.values())
    return "".join(f"{key}:\n{textwrap.indent(entries.show(data[key]), '  ')}" for key in sorted(data))
