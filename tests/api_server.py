# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A bare control plane for tests: the real etcd and kube-apiserver as processes on loopback, no nodes.

Its binaries come from the artifact store.

api_server.py DIRECTORY    runs one until SIGTERM; DIRECTORY/ready is there once it answers
"""

import contextlib
import json
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from artifact_store import newest

START_SECONDS = 120


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def api_server(directory: Path) -> Iterator["ApiServer"]:
    """Run etcd and kube-apiserver with their files in the directory, until the block ends."""
    etcd, kube_apiserver = (newest(f"*/{name}") for name in ("etcd", "kube-apiserver"))
    server = ApiServer(directory)
    processes = []
    try:
        for command in (server.etcd_command(etcd), server.api_command(kube_apiserver)):
            log = (directory / f"{Path(command[0]).name}.log").open("wb")
            # Whoever dies without a goodbye leaves no server behind.
            bound = ["setpriv", "--pdeathsig", "KILL", "--", *command]
            processes.append(subprocess.Popen(bound, stdout=log, stderr=subprocess.STDOUT))
        server.wait(processes)
        yield server
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait(10)


class ApiServer:
    """Files, ports and audit log of one control plane. Its users: admin (token secret), and weak, who has no rights."""

    def __init__(self, directory: Path) -> None:
        """Write keys, tokens, audit policy and kubeconfig."""
        self.directory = directory
        self.etcd, self.peer, self.port = free_port(), free_port(), free_port()
        self.kubeconfig = directory / "kubeconfig"
        self.audit_log = directory / "audit.log"
        key = ["openssl", "genrsa", "-out", str(directory / "service-account.key"), "2048"]
        subprocess.run(key, check=True, capture_output=True, timeout=60)
        (directory / "tokens.csv").write_text('secret,admin,1,"system:masters"\nweak,weak,2\n')
        policy = {
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "rules": [{"level": "Metadata", "omitStages": ["RequestReceived"]}],
        }
        (directory / "audit.yaml").write_text(yaml.safe_dump(policy))
        authority = str(directory / "certificates/apiserver.crt")
        server = {"server": f"https://127.0.0.1:{self.port}", "certificate-authority": authority}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": server}],
            "users": [{"name": "test", "user": {"token": "secret"}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }
        self.kubeconfig.write_text(yaml.safe_dump(config))

    def etcd_command(self, binary: Path) -> list[str]:
        """Command line of etcd; without fsync, its data need not outlive the test."""
        client, peer = f"http://127.0.0.1:{self.etcd}", f"http://127.0.0.1:{self.peer}"
        command = [str(binary), "--data-dir", str(self.directory / "etcd"), "--unsafe-no-fsync"]
        command += ["--listen-client-urls", client, "--advertise-client-urls", client]
        return [
            *command,
            "--listen-peer-urls",
            peer,
            "--initial-advertise-peer-urls",
            peer,
            "--initial-cluster",
            f"default={peer}",
        ]

    def api_command(self, binary: Path) -> list[str]:
        """Command line of kube-apiserver; it makes its own serving certificate."""
        key = self.directory / "service-account.key"
        options = {
            "etcd-servers": f"http://127.0.0.1:{self.etcd}",
            "bind-address": "127.0.0.1",
            "secure-port": self.port,
            "cert-dir": self.directory / "certificates",
            "token-auth-file": self.directory / "tokens.csv",
            "allow-privileged": "true",
            "authorization-mode": "RBAC",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": key,
            "service-account-signing-key-file": key,
            "service-cluster-ip-range": "10.250.0.0/24",
            "disable-admission-plugins": "ServiceAccount",
            "audit-policy-file": self.directory / "audit.yaml",
            "audit-log-path": self.audit_log,
        }
        return [str(binary), *[f"--{name}={value}" for name, value in options.items()]]

    def wait(self, processes: list[subprocess.Popen[bytes]]) -> None:
        """Return when it has named its own address; fail with the end of the log when it ended or the time is over."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        # It writes this object as its last step, after /readyz says ok.
        path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port}{path}", headers={"Authorization": "Bearer secret"}
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and all(process.poll() is None for process in processes):
            with contextlib.suppress(urllib.error.URLError, OSError):
                urllib.request.urlopen(request, timeout=5, context=context)
                return
            time.sleep(0.1)
        logs = [path.read_text(errors="replace")[-2000:] for path in self.directory.glob("*.log")]
        raise AssertionError("kube-apiserver is not ready:\n" + "\n".join(logs))

    def requests(self) -> list[dict[str, Any]]:
        """Events of the audit log so far that user admin caused."""
        events = (json.loads(line) for line in self.audit_log.read_text().splitlines())
        # A client with a wrong token has no name.
        return [event for event in events if event["user"].get("username") == "admin"]

    def writes(self) -> list[str]:
        """Mutating requests of clients so far, dry runs excepted: ``verb uri``."""
        return [
            f"{event['verb']} {event['requestURI']}"
            for event in self.requests()
            if event["verb"] in ("create", "update", "patch", "delete", "deletecollection")
            and "dryRun=All" not in event["requestURI"]
        ]


def main(directory: Path) -> None:
    """Run one for programs that are not Python."""
    directory.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with api_server(directory):
        (directory / "ready").touch()
        signal.pause()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
