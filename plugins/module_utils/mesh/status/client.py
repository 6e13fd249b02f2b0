# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Ask agents and KVStoreMesh how they see the peers."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from ...kubernetes import health
from ...kubernetes.client import CONNECTIONS, Cluster
from ...kubernetes.exec import Answer, ExecError
from ..chart import DEPLOYMENT
from . import agents as status_agents
from . import tls
from .agents import Seen
from .tls import Handshake, Shaken

# run(namespace, pod, container, command) -> what it says; _pod_exec.Pods.run
Run = Callable[[str, str, str, list[str]], Answer]
_AGENT = "cilium-agent"
_KVSTOREMESH = ["/usr/bin/clustermesh-apiserver", "kvstoremesh-dbg"]
_ENTRIES = "/var/lib/cilium/clustermesh"


class View(NamedTuple):
    """What the pods of a cluster say; kvstoremesh is None where it cannot be asked, others where nobody wants them.

    shaken is by the kind of pod what it trusts and shows.
    """

    agents: list[Seen]
    kvstoremesh: list[Seen] | None
    traffic: dict[str, dict[str, Any]] | None
    shaken: dict[str, list[Shaken]] | None = None


class Viewer:
    """Looks into the pods of one cluster."""

    def __init__(self, cluster: Cluster, run: Run, namespace: str, kvstoremesh: bool) -> None:
        """Take the cluster, how commands run in it, and whether it has KVStoreMesh."""
        self._cluster, self._run, self._namespace, self._has_mesh = cluster, run, namespace, kvstoremesh

    def look(self, peers: list[str], traffic: bool, fingerprint: str | None = None) -> View:
        """Ask all pods at once; traffic probes what one agent reaches of the peers.

        With a fingerprint all pods perform a new TLS handshake with their mounted files; it is that of agents' entries,
        "" for any.
        """
        agents = self._pods("k8s-app=cilium")
        meshes = self._pods(f"k8s-app={DEPLOYMENT}") if self._has_mesh else []
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            # The probe takes longest.
            probe = pool.submit(self._traffic, agents, peers) if traffic else None
            seen, mirrored = pool.map(self._agent, agents), pool.map(self._kvstoremesh, meshes)
            known = [each for each in mirrored if each]
            is_known = self._has_mesh and len(known) == len(meshes)
            shaken = None
            if fingerprint is not None:
                shakes = pool.map(lambda pod: self._agent_shakes(pod, peers, fingerprint), agents)
                shaken = {"KVStoreMesh": list(pool.map(self._kvstoremesh_shakes, meshes)), "agent": list(shakes)}
            return View(list(seen), known if is_known else None, probe.result() if probe else None, shaken)

    def reach(self, records: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Connect from one agent to the endpoint of each record; return reachable and reason by its name."""
        wanted = status_agents.endpoints(records)
        try:
            printed = self._ask(self._first(self._pods("k8s-app=cilium")), _AGENT, status_agents.command(wanted)).stdout
            return status_agents.dialled(wanted, printed)
        except ExecError as error:
            return {peer: {"reachable": False, "reason": _words(error)} for peer in wanted}

    def _pods(self, selector: str) -> list[dict[str, Any]]:
        path = f"/api/v1/namespaces/{self._namespace}/pods"
        pods = self._cluster.request("GET", path, {"labelSelector": selector})["items"]
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def _ask(self, pod: dict[str, Any], container: str, command: list[str]) -> Answer:
        if (pod.get("status") or {}).get("phase") != "Running":
            raise ExecError(health.pod(pod) or "it is not running yet")
        return self._run(self._namespace, pod["metadata"]["name"], container, command)

    def _agent(self, pod: dict[str, Any]) -> Seen:
        name = pod["metadata"]["name"]
        try:
            answer = self._ask(pod, _AGENT, ["cilium-dbg", "status", "-o", "json"])
            if not answer.stdout.strip():
                raise ExecError(answer.stderr.strip() or f"cilium-dbg status ended with {answer.code}")
            return Seen(name, status_agents.of_agent(answer.stdout))
        except (ExecError, ValueError) as error:
            return Seen(name, {}, _words(error))

    def _kvstoremesh(self, pod: dict[str, Any]) -> Seen | None:
        name = pod["metadata"]["name"]
        try:
            command = [*_KVSTOREMESH, "status", "-o", "json"]
            found = status_agents.of_kvstoremesh(*self._ask(pod, "kvstoremesh", command))
        except (ExecError, ValueError) as error:
            return Seen(name, {}, _words(error))
        return None if found is None else Seen(name, found)

    def _agent_shakes(self, pod: dict[str, Any], peers: list[str], fingerprint: str) -> Shaken:
        name = pod["metadata"]["name"]
        try:
            found = self._handshakes(pod, _AGENT, ["cilium-dbg", "troubleshoot", "clustermesh"])
            if not fingerprint or not peers:
                return Shaken(name, found, [])
            paths = [f"{_ENTRIES}/{peer}" for peer in peers]
            other = self._ask(pod, _AGENT, ["grep", "-sL", f"^# ca: {fingerprint}$", *paths]).stdout.splitlines()
            return Shaken(name, found, [path.rpartition("/")[2] for path in other])
        except ExecError as error:
            return Shaken(name, {}, [], _words(error))

    def _kvstoremesh_shakes(self, pod: dict[str, Any]) -> Shaken:
        name = pod["metadata"]["name"]
        try:
            command = [*_KVSTOREMESH, "troubleshoot", "--include-local"]
            return Shaken(name, self._handshakes(pod, "kvstoremesh", command), [])
        except ExecError as error:
            return Shaken(name, {}, [], _words(error))

    def _handshakes(self, pod: dict[str, Any], container: str, command: list[str]) -> dict[str, Handshake]:
        answer = self._ask(pod, container, command)
        if answer.code:
            raise ExecError(answer.stderr.strip() or f"{' '.join(command)} ended with {answer.code}")
        return tls.read(answer.stdout)

    @staticmethod
    def _first(agents: list[dict[str, Any]]) -> dict[str, Any]:
        if not agents:
            raise ExecError("there is no agent that could probe")
        return agents[0]

    def _traffic(self, agents: list[dict[str, Any]], peers: list[str]) -> dict[str, dict[str, Any]]:
        try:
            agent = self._first(agents)
            answer = self._ask(agent, _AGENT, status_agents.LIST)
            if answer.code:
                raise ExecError(answer.stderr.strip() or answer.stdout.strip())
            wanted = status_agents.targets(answer.stdout, peers)
            return status_agents.judge(wanted, self._ask(agent, _AGENT, status_agents.command(wanted)).stdout)
        except (ExecError, ValueError) as error:
            return {peer: {"reachable": False, "reason": _words(error)} for peer in peers}


def _words(error: Exception) -> str:
    """Return one line; an output that is no JSON is named as such."""
    prefix = "" if isinstance(error, ExecError) else "its answer cannot be read: "
    return prefix + " ".join(str(error).split())
