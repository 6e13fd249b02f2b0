#!/usr/bin/env python3
# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What a fleet could leave behind on a host: write it down, and compare two moments.

host_state.py > before.json
host_state.py before.json ['sysctls kernel\\.unprivileged_bpf_disabled' ...]    exits 1 if anything differs
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import hashlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

State = dict[str, dict[str, str]]

# What nothing can undo, or what `down` names as left on purpose.
EXCEPTIONS = [
    r"sysctls kernel\.unprivileged_bpf_disabled",
    r"packages .*",
    # The accounts and units that these packages bring.
    r"files /etc/(passwd|group|shadow|gshadow|subuid|subgid)-?",
    r"files /etc/(systemd|alternatives|ld\.so|nsswitch|pam\.d|rc|init\.d|\.pwd).*",
]
TREES = ("/etc", "/opt", "/usr/local", "/var/lib", "/var/log", "/run", "/root", "/srv")
# The caches of tools, what other programs of a living host change by themselves, the package manager's books, and
# the roots of machines: the fleet's own directory above them is compared.
PASSED_OVER = re.compile(
    r"/var/lib/odp/[^/]+/machines|/root/\.(cache|ansible|npm|pyenv)|/var/lib/(apt|dpkg|systemd)|/var/log/(apt|journal)|/run/(udev|user)|.*/__pycache__"
)
VOLATILE = re.compile(
    r"fs/(dentry-state|file-nr|inode-nr|inode-state|aio-nr|quota/.*|mount-max)|kernel/(ns_last_pid|random/.*|pty/nr|perf_.*rate"
    r"|tainted|sched_domain/.*)|net/netfilter/nf_conntrack_(count|.*buckets)|net/ipv[46]/(conf|neigh)/(?!all|default).*"
    r"|vm/(stat_refresh|drop_caches|compact_memory)|net/mptcp/.*|sunrpc/.*|dev/.*|debug/.*|user/.*"
)
OURS = re.compile(
    r"systemd-nspawn|supervisord|docker-registry|containerd|kubelet|etcd|kube-|cilium|coredns|pause|ansible-playbook|/(run|var/lib|var/log)/odp/"
)

# What systemd attaches to control groups.
SYSTEMD = re.compile(r"program type \d+ sd_\w+")


def snapshot() -> State:
    """Return what is there now: section, name, value."""
    return {
        "links": {
            link["ifname"]: link.get("linkinfo", {}).get("info_kind", "") for link in _json("ip", "-j", "-d", "link")
        },
        "addresses": {
            f"{link['ifname']} {a['local']}/{a['prefixlen']}": ""
            for link in _json("ip", "-j", "addr")
            for a in link["addr_info"]
        },
        "routes": {
            line: "" for family in ("-4", "-6") for line in _lines("ip", family, "route", "show", "table", "all")
        },
        "rules": dict.fromkeys(_lines("ip", "rule"), ""),
        "mounts": _mounts(),
        "nft": _numbered(_lines("nft", "list", "ruleset")),
        "iptables": _numbered(line for tool in ("iptables-save", "ip6tables-save") for line in _packet_rules(tool)),
        "cgroups": _cgroups(),
        "bpf": _bpf(),
        "processes": _processes(),
        "ports": _ports(),
        "sysctls": _sysctls(),
        "packages": dict.fromkeys(_lines("dpkg-query", "-W", "-f", "${Package}\n"), ""),
        "files": _files(),
    }


def compare(before: State, after: State, exceptions: list[str]) -> list[str]:
    """Return the differences, one line each: ``section name: before -> after``, with ``absent`` for what is not there.

    Args:
        before, after: two snapshots.
        exceptions: regular expressions; a line whose ``section name`` one of them matches as a whole is left out.
    """
    found = []
    exceptions = [*exceptions, *_files_of_packages({*after["packages"]} - {*before["packages"]})]
    for section in sorted({*before, *after}):
        old, new = before.get(section, {}), after.get(section, {})
        # The group of another program goes with its last process, and what systemd attached to it goes with the group.
        if section == "cgroups":
            old = {name: value for name, value in old.items() if name in new}
        elif section == "bpf":
            fewer = {name for name in old if SYSTEMD.fullmatch(name) and int(new.get(name, 0)) < int(old[name])}
            old = {name: new.get(name, "absent") if name in fewer else value for name, value in old.items()}
        for name in sorted({*old, *new}):
            key, values = f"{section} {name}", (old.get(name, "absent"), new.get(name, "absent"))
            if values[0] != values[1] and not any(re.fullmatch(pattern, key) for pattern in exceptions):
                found.append(f"{key}: {values[0]} -> {values[1]}")
    return found


def left_behind(before: State, seconds: float = 60) -> list[str]:
    """Return what differs from before, apart from EXCEPTIONS, once the kernel had time to free what was killed."""
    deadline = time.monotonic() + seconds
    while (found := compare(before, snapshot(), EXCEPTIONS)) and time.monotonic() < deadline:
        time.sleep(1)
    return found


def kill_machine(fleet: str, machine: str) -> None:
    """Kill a machine as a power cut would; supervision or the next run starts it again."""
    for process in machine_processes(fleet, machine):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def machine_processes(fleet: str, machine: str) -> list[int]:
    """The process of a machine's systemd-nspawn; none when it is off."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = entry.read_bytes().decode(errors="replace").split("\0")
            if words[0].endswith("systemd-nspawn") and f"--machine={fleet}-{machine}" in words:
                found.append(int(entry.parent.name))
    return found


def _files_of_packages(packages: set[str]) -> list[str]:
    """Return an exception for every path that newly installed packages brought."""
    found = []
    for listing in Path("/var/lib/dpkg/info").glob("*.list"):
        if listing.stem.split(":")[0] in packages:
            found += [f"files {re.escape(line)}" for line in listing.read_text().splitlines()]
    return found


def _cgroups(top: Path = Path("/sys/fs/cgroup")) -> dict[str, str]:
    """Return the control groups that no other program is in; of a machine's only the first, the others come and go."""
    found, others = {}, set()
    for path, directories, _files_there in os.walk(top):
        found[path] = ""
        if Path(path).name.startswith("odp-"):
            directories.clear()
        elif any(map(_is_of_others, _read(Path(path, "cgroup.procs")).split())):
            others |= {path, *map(str, Path(path).parents)}
    return {path: "" for path in found if path not in others}


def _is_of_others(process: str) -> bool:
    """Whether a process is none of a fleet's: not in a machine, which has process IDs of its own, and not OURS."""
    with contextlib.suppress(OSError):
        if os.readlink(f"/proc/{process}/ns/pid") != os.readlink("/proc/self/ns/pid"):
            return False
    line = _read(Path("/proc", process, "cmdline")).replace("\0", " ")
    return bool(line) and not OURS.search(line)


def _read(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(errors="replace")
    return ""


def _lines(*command: str) -> list[str]:
    if not shutil.which(command[0]):
        return []
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def _json(*command: str) -> list:
    return json.loads("\n".join(_lines(*command)) or "[]")


def _numbered(lines) -> dict[str, str]:
    """Return lines that may repeat as names, the second of two equal ones with its number."""
    seen: collections.Counter = collections.Counter()
    numbered = {}
    for line in lines:
        seen[line] += 1
        numbered[line if seen[line] == 1 else f"{line} ({seen[line]})"] = ""
    return numbered


def _packet_rules(tool: str) -> list[str]:
    """Return rules without comments and counters; an empty table with open policies says nothing and is left out."""
    lines = [re.sub(r"\[\d+:\d+\]", "", line).strip() for line in _lines(tool)]
    return [
        f"{tool} {line}" for line in lines if line.startswith("-") or (line.startswith(":") and "ACCEPT" not in line)
    ]


def _mounts() -> dict[str, str]:
    found = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, right = line.split(" - ")
        found[left.split()[4]] = right.split()[0]
    return found


def _processes() -> dict[str, str]:
    """Return how many processes there are of each program that a fleet runs; those in a machine go with its group."""
    found: collections.Counter = collections.Counter()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ").strip()
            if "/odp-" in (entry / "cgroup").read_text():
                continue
            if line and OURS.search(line) and int(entry.name) != os.getpid():
                found[line[:120]] += 1
    return {line: str(count) for line, count in found.items()}


def _ports() -> dict[str, str]:
    found = {}
    for kind, listening in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]:
                _slot, local, _remote, state = line.split()[:4]
                if state == listening:
                    found[f"{kind} {local.rsplit(':', 1)[0]}:{int(local.rsplit(':', 1)[1], 16)}"] = ""
    return found


def _sysctls() -> dict[str, str]:
    top, found = Path("/proc/sys"), {}
    for directory, _directories, files in os.walk(top):
        for file in files:
            path = Path(directory) / file
            name = str(path.relative_to(top))
            if not VOLATILE.fullmatch(name):
                with contextlib.suppress(OSError, UnicodeDecodeError):
                    found[name.replace("/", ".")] = " ".join(path.read_text().split())
    return found


def _files() -> dict[str, str]:
    """Return every path of the watched trees; of what configures the host (/etc, /usr/local) a digest as well."""
    found = {}
    for tree in TREES:
        for directory, directories, files in os.walk(tree):
            directories[:] = [d for d in directories if not PASSED_OVER.fullmatch(f"{directory}/{d}")]
            for name in (*directories, *files):
                path = Path(directory) / name
                if PASSED_OVER.fullmatch(str(path)):
                    continue
                found[str(path)] = "there"
                if tree in ("/etc", "/usr/local") and path.is_file() and not path.is_symlink():
                    with contextlib.suppress(OSError):
                        found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return found


def _bpf() -> dict[str, str]:
    """Return how many BPF programs, maps and links of each kind the kernel holds, asked by the system call itself."""
    found: collections.Counter = collections.Counter()
    for what, next_id, descriptor in (("program", 11, 13), ("map", 12, 14), ("link", 31, 30)):
        number = 0
        while (attributes := _bpf_call(next_id, struct.pack("<III", number, 0, 0)))[0] == 0:
            number = struct.unpack("<III", attributes[1])[1]
            handle = _bpf_call(descriptor, struct.pack("<III", number, 0, 0))[0]
            if handle < 0:
                continue
            info = ctypes.create_string_buffer(80)
            _bpf_call(15, struct.pack("<IIQ", handle, len(info), ctypes.addressof(info)))
            os.close(handle)
            kind = struct.unpack_from("<I", info.raw)[0]
            name = {"program": info.raw[64:80], "map": info.raw[24:40], "link": b""}[what].split(b"\0")[0].decode()
            found[f"{what} type {kind} {name}".strip()] += 1
    return {name: str(count) for name, count in found.items()}


def _bpf_call(command: int, attributes: bytes) -> tuple[int, bytes]:
    """Make the system call bpf(2), which has this number on each 64-bit Linux that we know of, x86 apart."""
    number = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
    buffer = ctypes.create_string_buffer(attributes, 128)
    result = ctypes.CDLL(None, use_errno=True).syscall(number, command, buffer, len(attributes))
    return result, buffer.raw[: len(attributes)]


def main(arguments: list[str]) -> int:
    """Print a snapshot, or compare one with now."""
    if not arguments:
        json.dump(snapshot(), sys.stdout, indent=1, sort_keys=True)
        return 0
    differences = compare(json.loads(Path(arguments[0]).read_text()), snapshot(), arguments[1:])
    print("\n".join(differences))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
