# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""JSON output of docker and podman, and the archives that they copy. Pure."""

from __future__ import annotations

import io
import tarfile
from typing import Any

ENGINES = ("docker", "podman")


def memory(info: dict[str, Any]) -> int:
    """Bytes of memory for containers; on a Mac those of the engine's virtual machine.

    :param info: output of ``docker info`` or ``podman info``.
    """
    return int(info.get("MemTotal") or (info.get("host") or {}).get("memTotal") or 0)


def published(containers: list[dict[str, Any]]) -> dict[int, str]:
    """Name of the container by published port of the host.

    :param containers: output of ``inspect``.
    """
    return {
        int(binding["HostPort"]): container["Name"].lstrip("/")
        for container in containers
        for bindings in ((container.get("NetworkSettings") or {}).get("Ports") or {}).values()
        for binding in bindings or []
        if binding.get("HostPort")
    }


def by_digest(image: str) -> str:
    """The image without its tag if it has a digest: podman does not accept both."""
    name, at, digest = image.partition("@")
    path, slash, last = name.rpartition("/")
    return f"{path}{slash}{last.partition(':')[0]}@{digest}" if at else image


def archive(files: dict[str, str]) -> bytes:
    """A tar archive of files (content by absolute path), with their parent directories."""
    stream = io.BytesIO()
    folders: set[str] = set()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for path, text in sorted(files.items()):
            parts = path.strip("/").split("/")
            for depth in range(1, len(parts)):
                if (folder := "/".join(parts[:depth])) not in folders:
                    folders.add(folder)
                    tar.addfile(_entry(folder, 0o755, tarfile.DIRTYPE))
            data = text.encode()
            entry = _entry("/".join(parts), 0o644, tarfile.REGTYPE)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def _entry(name: str, mode: int, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type = mode, kind
    return entry


def only_file(data: bytes) -> str:
    """Content of the only file in a tar archive; empty if there is none."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = [member for member in tar.getmembers() if member.isfile()]
        content = tar.extractfile(files[0]) if files else None
        return content.read().decode(errors="replace") if content else ""
