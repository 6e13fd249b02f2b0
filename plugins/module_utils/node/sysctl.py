# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Texts and comparisons of kernel settings. Pure."""

from __future__ import annotations


def normal(value: object) -> str:
    """A sysctl's value as the kernel prints it, with one blank between its fields."""
    return " ".join(str(value).split())


def key_path(key: str) -> str:
    """Path below /proc/sys of a sysctl; ``net/ipv4/conf/eth0.1/x`` keeps the dots of an interface's name."""
    return key if "/" in key else key.replace(".", "/")


def sysctl_file(sysctls: dict[str, object]) -> str:
    """The file in /etc/sysctl.d that keeps the settings over a reboot."""
    lines = [f"{key} = {normal(value)}" for key, value in sorted(sysctls.items())]
    return "# Written by opendata.platform.\n" + "".join(f"{line}\n" for line in lines)


def modules_file(modules: list[str]) -> str:
    """The file in /etc/modules-load.d that loads the modules at boot."""
    return "# Written by opendata.platform.\n" + "".join(f"{name}\n" for name in sorted(set(modules)))


def wrong_sysctls(wanted: dict[str, object], found: dict[str, str | None]) -> dict[str, tuple[str, str]]:
    """Settings that are not as wanted.

    :param wanted: value by key.
    :param found: value by key as read; None where the kernel has no such key.
    :returns: (found, wanted) by key; an absent key is found as "absent".
    """
    wrong = {}
    for key, value in sorted(wanted.items()):
        current = found.get(key)
        if current is None or normal(current) != normal(value):
            wrong[key] = ("absent" if current is None else normal(current), normal(value))
    return wrong


def builtin_modules(modules_builtin: str, filesystems: str) -> set[str]:
    """Names of what is part of the kernel.

    :param modules_builtin: /lib/modules/VERSION/modules.builtin, lines like "kernel/fs/overlayfs/overlay.ko".
    :param filesystems: /proc/filesystems, whose last column names a filesystem.
    """
    named = {line.rsplit("/", 1)[-1].removesuffix(".ko") for line in modules_builtin.split()}
    return {name.replace("-", "_") for name in named} | {line.split()[-1] for line in filesystems.splitlines() if line}
