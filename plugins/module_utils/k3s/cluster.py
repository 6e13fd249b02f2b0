# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Ask a k3s cluster, from one of its servers or from a machine that will join."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import time
import urllib.error
import urllib.request

from ..cluster import operations
from . import state as pure
from .cli import READY_SECONDS, K3sError, run, text
from .cli import TOKEN as TOKEN_FILE

LOCAL = "https://127.0.0.1:6443"
TIMEOUT_SECONDS = 10


def ask(url: str, user: str = "", token: str = "") -> bytes:
    """GET; with a user the token's password is sent.

    Unverified, as k3s itself asks for the CA of a server that it does not know yet.

    :raises OSError: when nothing answers, or with ``code`` when the answer is no.
    """
    request = urllib.request.Request(url)
    if user:
        password = token.rpartition("::")[2].rpartition(":")[2] if token.startswith("K10") else token
        secret = base64.b64encode(f"{user}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {secret}")
    context = ssl._create_unverified_context()
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=context) as answer:
        return answer.read()


def joining_refusal(url: str, token: str) -> str:
    """Why a machine cannot join the cluster at this URL; empty if it can. The token is only sent to whom it names."""
    try:
        authority = hashlib.sha256(ask(f"{url}/cacerts")).hexdigest()
        if token.startswith("K10") and token[3:67] != authority:
            return f"{url} is a server of another cluster than the token names: its CA is {authority[:12]}."
        ask(f"{url}/v1-k3s/config", "node", token)
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            return f"{url} refuses the token ({error.code}). The cluster has another one: see cluster_k3s_token."
        return f"{url} answers {error.code} {error.reason}. See the log of k3s there: journalctl --unit=k3s"
    except (OSError, ValueError) as error:
        return f"No server answers at {url}: {getattr(error, 'reason', error)}. Nothing was started."
    return ""


def answers(address: str) -> bool:
    """Whether a server of k3s answers at an address."""
    try:
        return bool(ask(f"https://{address}:6443/cacerts"))
    except (OSError, ValueError):
        return False


def members() -> list[str]:
    """Nodes that are members of etcd, asked of the server on this machine.

    :raises K3sError: when it does not answer.
    """
    try:
        return pure.member_nodes(json.loads(ask(f"{LOCAL}/db/info", "server", text(TOKEN_FILE).strip())))
    except (OSError, ValueError) as error:
        raise K3sError(f"k3s on this machine does not say its members: {error}. See: journalctl --unit=k3s") from error


def nodes() -> dict[str, dict]:
    """The state of every Node, see `operations.nodes`."""
    return operations.nodes(run("kubectl", "get", "nodes", "--output=json"))


def wait_for(name: str, version: str) -> None:
    """Wait until the kubelet of a node reports a version.

    :raises K3sError: with the version that it reports after READY_SECONDS.
    """
    end, reported = time.monotonic() + READY_SECONDS, ""
    while reported != version:
        if time.monotonic() > end:
            raise K3sError(
                f"The kubelet of {name} still reports {reported or 'nothing'} after {READY_SECONDS} s, not {version}."
            )
        time.sleep(1 if reported else 0)
        reported = nodes().get(name, {}).get("version", "") or "nothing"


def drain(name: str, seconds: int) -> None:
    """Move the pods of a node away, as their PodDisruptionBudgets allow.

    :raises K3sError: when they did not within the time; the node then takes pods again.
    """
    run("kubectl", "annotate", "node", name, "--overwrite", f"{operations.DRAINED}=true")
    flags = ["--ignore-daemonsets", "--delete-emptydir-data", f"--timeout={seconds}s"]
    try:
        run("kubectl", "drain", name, *flags)
    except K3sError as error:
        uncordon(name)
        raise K3sError(
            f"{name} could not be drained within {seconds} s and takes pods again. A PodDisruptionBudget may forbid "
            f"it: kubectl get pdb -A. Longer: cluster_k3s_drain_timeout.\n{error}"
        ) from error


def uncordon(name: str) -> None:
    """Let a node take pods again."""
    run("kubectl", "uncordon", name)
    run("kubectl", "annotate", "node", name, f"{operations.DRAINED}-")


def forget(name: str) -> None:
    """Delete a Node and wait until its member has left etcd, which k3s itself sees to.

    :raises K3sError: when the member is still there after READY_SECONDS.
    """
    run("kubectl", "delete", "node", name, "--ignore-not-found")
    end = time.monotonic() + READY_SECONDS
    while name in members():
        if time.monotonic() > end:
            raise K3sError(f"{name} is still a member of etcd {READY_SECONDS} s after its Node was deleted.")
        time.sleep(1)
