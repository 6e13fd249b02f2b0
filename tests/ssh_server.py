# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A real OpenSSH server on loopback for tests, as a user without rights: it shows its host key, nobody can log in."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

SERVER = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
NOBODY = 65534


class SshServer:
    """An address with a host key that can be changed."""

    def __init__(self) -> None:
        # sshd as root would need a user and a folder of its own.
        self.directory = Path(tempfile.mkdtemp(prefix="odp-sshd-"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.process: subprocess.Popen[bytes] | None = None
        self.restart()

    def restart(self, kind: str = "ed25519") -> str:
        """Serve with a new host key; return its fingerprint."""
        self.stop()
        key = self.directory / "key"
        for half in self.directory.iterdir():
            half.unlink()
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(key)], check=True, timeout=30)
        if os.geteuid() == 0:
            for path in (self.directory, *self.directory.iterdir()):
                os.chown(path, NOBODY, NOBODY)
        command = [str(SERVER), "-D", "-e", "-f", "/dev/null", "-h", str(key), "-p", str(self.port)]
        command += ["-o", "ListenAddress=127.0.0.1", "-o", "PidFile=none"]
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL, **user)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    break
            assert self.process.poll() is None, "sshd did not start"
            time.sleep(0.05)
        listed = subprocess.run(["ssh-keygen", "-lf", f"{key}.pub"], check=True, capture_output=True, text=True)
        return listed.stdout.split()[1]

    def stop(self) -> None:
        """Nobody listens afterwards."""
        if self.process:
            self.process.kill()
            self.process.wait(10)

    def remove(self) -> None:
        """Nothing is left of it."""
        self.stop()
        shutil.rmtree(self.directory)
