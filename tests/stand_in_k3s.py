# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Packs the stand-in for k3s into one executable file."""

import hashlib
import io
import zipfile
from pathlib import Path

SOURCE = Path(__file__).parent / "standins/k3s"


def pack(target: Path, version: str) -> str:
    """Write the stand-in of a version such as v1.36.4+k3s1 to `target`; its sha256."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("__main__.py", "flags.json"):
            file.writestr(zipfile.ZipInfo(name), (SOURCE / name).read_text())
        file.writestr(zipfile.ZipInfo("version"), version)
    target.write_bytes(b"#!/usr/bin/env python3\n" + archive.getvalue())
    target.chmod(0o755)
    return hashlib.sha256(target.read_bytes()).hexdigest()
