# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""The certificates of the modules in a real etcd, started as clustermesh-apiserver starts it."""

import http.client
import ssl
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki import leaf_certificates
from ansible_collections.opendata.platform.plugins.module_utils.mesh.pki.certificates import Pair, issue, make_authority

import api_server
from artifact_store import newest

NOW = datetime.now(UTC)
OLD, NEW = (make_authority("Cilium CA", 3650, NOW) for _ in range(2))
LEAFS = leaf_certificates.leafs("north", "kube-system", "remote", [])


def sign(role: str, ca: Pair) -> Pair:
    leaf = LEAFS[role]
    return issue(leaf.cn, leaf.sans, leaf.purposes, ca, 365, NOW)


class Etcd:
    """One etcd with the flags of the chart's Deployment that have to do with certificates."""

    def __init__(self, directory: Path, ca: Pair, bundle: str) -> None:
        self.directory, self.port, peer = directory, api_server.free_port(), api_server.free_port()
        self.place(ca, bundle)
        client, peers = f"https://127.0.0.1:{self.port}", f"http://127.0.0.1:{peer}"
        self.command = [str(newest("*/etcd")), "--data-dir", str(directory / "data"), "--unsafe-no-fsync"]
        self.command += ["--client-cert-auth", f"--trusted-ca-file={directory}/ca.crt"]
        self.command += [f"--cert-file={directory}/tls.crt", f"--key-file={directory}/tls.key"]
        self.command += [f"--listen-client-urls={client}", f"--advertise-client-urls={client}"]
        self.command += [f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}"]
        self.command += [f"--initial-cluster=default={peers}", "--enable-grpc-gateway=false"]
        self.start(ca)

    def place(self, ca: Pair, bundle: str) -> None:
        """Replace the files, as the kubelet does after a Secret changed."""
        server = sign("server", ca)
        for name, text in {"ca.crt": bundle, "tls.crt": server.cert, "tls.key": server.key}.items():
            (self.directory / f"{name}.new").write_text(text)
            (self.directory / f"{name}.new").replace(self.directory / name)

    def start(self, ca: Pair) -> None:
        with (self.directory / "log").open("wb") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 30
        while self.ask(sign("admin", ca), OLD.cert + NEW.cert) != "":
            assert time.monotonic() < deadline, (self.directory / "log").read_text()[-2000:]
            time.sleep(0.1)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def ask(self, client: Pair | None, bundle: str) -> str:
        """Ask as a peer does, by its own bundle and the name of the mesh; return "" or why it fails."""
        context = ssl.create_default_context(cadata=bundle)
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # says within the handshake that a client is not let in
        if client:
            (self.directory / "client").write_text(client.cert + client.key)
            context.load_cert_chain(self.directory / "client")
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5, context=context)
        try:
            raw = connection._create_connection(("127.0.0.1", self.port), 5)  # type: ignore[attr-defined]
            connection.sock = context.wrap_socket(raw, server_hostname="north.mesh.cilium.io")
            connection.request("GET", "/version")
            return "" if connection.getresponse().status == 200 else "no answer"
        except OSError as error:
            return str(error)
        finally:
            connection.close()


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[Etcd]:
    running = Etcd(tmp_path, OLD, OLD.cert)
    yield running
    running.stop()


def test_every_client_is_let_in_and_a_stranger_is_not(etcd: Etcd) -> None:
    for role in ("admin", "local", "remote", "server"):
        assert etcd.ask(sign(role, OLD), OLD.cert) == "", role
    assert "UNKNOWN_CA" in etcd.ask(sign("remote", NEW), OLD.cert)
    assert "ALERT" in etcd.ask(None, OLD.cert)
    assert "CERTIFICATE_VERIFY_FAILED" in etcd.ask(sign("remote", OLD), NEW.cert)


def test_in_every_phase_old_and_new_clients_are_let_in(etcd: Etcd) -> None:
    both, old, new = OLD.cert + NEW.cert, sign("remote", OLD), sign("remote", NEW)
    etcd.place(OLD, both)
    assert "UNKNOWN_CA" in etcd.ask(new, both), "etcd reads the CAs at its start only, so prepare has to restart it"
    etcd.stop()
    etcd.start(OLD)
    assert (etcd.ask(old, both), etcd.ask(new, both)) == ("", "")
    etcd.place(NEW, both)
    assert etcd.ask(new, NEW.cert) == "", "the new server certificate is used without a restart"
    assert (etcd.ask(old, both), etcd.ask(new, both)) == ("", "")
    etcd.place(NEW, NEW.cert)
    etcd.stop()
    etcd.start(NEW)
    assert etcd.ask(new, NEW.cert) == "" and "UNKNOWN_CA" in etcd.ask(old, NEW.cert)
