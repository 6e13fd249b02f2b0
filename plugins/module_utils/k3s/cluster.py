# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Query and change a k3s cluster, from one of its servers or from a machine that will join."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import time
import urllib.error
import urllib.request
from typing import Any

from ..cluster import operations
from . import state as pure
from .cli import READY_SECONDS, K3sError, run, text
from .cli import TOKEN as TOKEN_FILE

LOCAL = "https://127.0.0.1:6443"
TIMEOUT_SECONDS = 10


def ask(url: str, user: str = "", token: str = "") -> bytes:
    """GET a URL; with a user, sends the token's password.

    Unverified, as k3s itself fetches the CA of an unknown server.

    :raises OSError: if nothing answers, or with ``code`` if the answer is an error.
    """
    request = urllib.request.Request(url)
    if user:
        password = token.rpartition("::")[2].rpartition(":")[2] if token.startswith("K10") else token
        secret = base64.b64encode(f"{user}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {secret}")
    context = ssl._create_unverified_context()
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=context) as answer:
        return bytes(answer.read())


def joining_refusal(url: str, token: str) -> str:
    """Why a machine cannot join the cluster at this URL; empty if it can. The token is only sent to its own CA."""
    try:
        authority = hashlib.sha256(ask(f"{url}/cacerts")).hexdigest()
        if token.startswith("K10") and token[3:67] != authority:
            return f"{url} is a server of another cluster than the token's: its CA is {authority[:12]}."
        ask(f"{url}/v1-k3s/config", "node", token)
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            return f"{url} refuses the token ({error.code}). Set cluster_k3s_token to the token of that cluster."
        return f"{url} answers {error.code} {error.reason}. See the log of k3s there: journalctl --unit=k3s"
    except (OSError, ValueError) as error:
        return f"No server answers at {url}: {getattr(error, 'reason', error)}. Nothing was started."
    return ""


def answers(address: str) -> bool:
    """Whether a k3s server answers at an address."""
    try:
        return bool(ask(f"https://{address}:6443/cacerts"))
    except (OSError, ValueError):
        return False


def members() -> list[str]:
    """Nodes that are members of etcd, as the server on this machine reports them.

    :raises K3sError: if it does not answer.
    """
    try:
        return pure.member_nodes(json.loads(ask(f"{LOCAL}/db/info", "server", text(TOKEN_FILE).strip())))
    except (OSError, ValueError) as error:
        raise K3sError(
            f"k3s on this machine does not report its etcd members: {error}. See: journalctl --unit=k3s"
        ) from error


def nodes() -> dict[str, dict[str, Any]]:
    """The state of every Node, see `operations.nodes`."""
    return operations.nodes(run("kubectl", "get", "nodes", "--output=json"))


def wait_for(name: str, version: str) -> None:
    """Wait until the kubelet of a node reports a version.

    :raises K3sError: after READY_SECONDS, with the reported version.
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
    """Drain a node, as PodDisruptionBudgets allow.

    :raises K3sError: after the timeout; the node is uncordoned then.
    """
    run("kubectl", "annotate", "node", name, "--overwrite", f"{operations.DRAINED}=true")
    flags = ["--ignore-daemonsets", "--delete-emptydir-data", f"--timeout={seconds}s"]
    try:
        run("kubectl", "drain", name, *flags)
    except K3sError as error:
        uncordon(name)
        raise K3sError(
            f"{name} could not be drained within {seconds} s and was uncordoned. A PodDisruptionBudget may block "
            f"it: kubectl get pdb -A. To wait longer: cluster_k3s_drain_timeout.\n{error}"
        ) from error


def uncordon(name: str) -> None:
    """Uncordon a node."""
    run("kubectl", "uncordon", name)
    run("kubectl", "annotate", "node", name, f"{operations.DRAINED}-")


def remove(name: str) -> None:
    """Delete a Node and wait until k3s has removed its member from etcd.

    :raises K3sError: if the member still exists after READY_SECONDS.
    """
    run("kubectl", "delete", "node", name, "--ignore-not-found")
    end = time.monotonic() + READY_SECONDS
    while name in members():
        if time.monotonic() > end:
            raise K3sError(f"{name} is still a member of etcd {READY_SECONDS} s after its Node was deleted.")
        time.sleep(1)
