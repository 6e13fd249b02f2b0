# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module kernel_settings against a tree that stands in for /proc, /sys and /etc."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.node import kernel

Run = Callable[..., dict[str, Any]]
FORWARD = {"net.ipv4.ip_forward": 1}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    forward = tmp_path / "proc/sys/net/ipv4/ip_forward"
    forward.parent.mkdir(parents=True)
    forward.write_text("0\n")
    (tmp_path / "proc/filesystems").write_text("nodev\tproc\nnodev\toverlay\n")
    (tmp_path / "sys/module/br_netfilter").mkdir(parents=True)
    monkeypatch.setattr(kernel, "ROOT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def test_sets_live_and_for_the_next_boot_then_nothing(root: Path, run: Run) -> None:
    first = run("kernel_settings", sysctls=FORWARD, modules=["overlay", "br_netfilter"])
    assert first["changed"] and first["sysctls"] == ["net.ipv4.ip_forward"] and first["modules"] == []
    assert (root / "proc/sys/net/ipv4/ip_forward").read_text() == "1"
    assert "net.ipv4.ip_forward = 1\n" in (root / "etc/sysctl.d/90-opendata-platform.conf").read_text()
    assert "br_netfilter\noverlay\n" in (root / "etc/modules-load.d/90-opendata-platform.conf").read_text()
    assert run("kernel_settings", sysctls=FORWARD, modules=["overlay", "br_netfilter"])["changed"] is False


def test_check_mode_shows_and_touches_nothing(root: Path, run: Run) -> None:
    result = run("kernel_settings", check=True, sysctls=FORWARD)
    assert result["changed"] and result["diff"][0]["before"] == "0\n" and result["diff"][0]["after"] == "1\n"
    assert (root / "proc/sys/net/ipv4/ip_forward").read_text() == "0\n"
    assert not (root / "etc").exists()


def test_a_planned_machine_is_not_looked_at(root: Path, run: Run) -> None:
    (root / "proc/sys/net/ipv4/ip_forward").write_text("1\n")
    result = run("kernel_settings", check=True, planned=True, sysctls=FORWARD, modules=["overlay"])
    assert result["sysctls"] == ["net.ipv4.ip_forward"] and result["modules"] == ["overlay"]


def test_what_the_kernel_refuses_is_named_at_once(root: Path, run: Run) -> None:
    result = run("kernel_settings", sysctls={"net.a": 1, "net.b": 2}, modules=["wireguard"])
    assert result["failed"]
    for part in ("net.a: this kernel has no such setting", "net.b:", "wireguard: there is no modprobe"):
        assert part in result["msg"]


def test_a_file_without_settings_is_removed(root: Path, run: Run) -> None:
    run("kernel_settings", sysctls=FORWARD)
    assert run("kernel_settings")["changed"]
    assert not (root / "etc/sysctl.d/90-opendata-platform.conf").exists()


def test_spaces_and_names_of_interfaces_are_the_kernel_s(root: Path, run: Run) -> None:
    path = root / "proc/sys/net/ipv4/conf/eth0.1/tcp_rmem"
    path.parent.mkdir(parents=True)
    path.write_text("4096\t87380  6291456\n")
    assert (
        run("kernel_settings", check=True, sysctls={"net/ipv4/conf/eth0.1/tcp_rmem": "4096 87380 6291456"})["sysctls"]
        == []
    )


def test_modules_that_are_built_in_count_as_loaded(root: Path, run: Run) -> None:
    listing = root / "lib/modules" / os.uname().release / "modules.builtin"
    listing.parent.mkdir(parents=True)
    listing.write_text("kernel/net/xfrm-x.ko\n")
    assert run("kernel_settings", check=True, modules=["xfrm-x", "xfrm_x", "other"])["modules"] == ["other"]


def test_a_kernel_without_module_files_is_why_modprobe_of_the_library_is_not_used(
    root: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container: the file system is there, /lib/modules is not."""
    modprobe = root / "bin/modprobe"
    modprobe.parent.mkdir()
    modprobe.write_text("#!/bin/sh\nexit 1\n")
    modprobe.chmod(0o755)
    monkeypatch.setattr("ansible_collections.community.general.plugins.modules.modprobe.RELEASE_VER", "none")
    assert run("ansible_collections.community.general.plugins.modules.modprobe", name="overlayfs_none")["failed"]
    (root / "proc/filesystems").write_text("nodev\toverlayfs_none\n")
    assert run("kernel_settings", modules=["overlayfs_none"])["modules"] == []
