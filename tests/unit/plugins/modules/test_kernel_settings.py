# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module kernel_settings against a tree that stands in for /proc, /sys and /etc."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.node import sysctl as pure
from ansible_collections.opendata.platform.plugins.modules import kernel_settings

Run = Callable[..., dict[str, Any]]
FORWARD = {"net.ipv4.ip_forward": 1}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    forward = tmp_path / "proc/sys/net/ipv4/ip_forward"
    forward.parent.mkdir(parents=True)
    forward.write_text("0\n")
    (tmp_path / "proc/filesystems").write_text("nodev\tproc\nnodev\toverlay\n")
    (tmp_path / "sys/module/br_netfilter").mkdir(parents=True)
    monkeypatch.setattr(kernel_settings, "ROOT", tmp_path)
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


def test_an_optional_setting_is_left_out_where_it_is_absent(root: Path, run: Run) -> None:
    result = run("kernel_settings", sysctls=FORWARD, optional_sysctls={"fs.inotify.max_user_instances": 8192})
    assert result["left_out"] == ["fs.inotify.max_user_instances"]
    assert "inotify" not in (root / "etc/sysctl.d/90-opendata-platform.conf").read_text()


def test_a_file_without_settings_is_removed(root: Path, run: Run) -> None:
    run("kernel_settings", sysctls=FORWARD)
    assert run("kernel_settings")["changed"]
    assert not (root / "etc/sysctl.d/90-opendata-platform.conf").exists()


def test_pure() -> None:
    assert pure.normal("4096\t87380  6291456\n") == "4096 87380 6291456"
    assert pure.key_path("net/ipv4/conf/eth0.1/rp_filter") == "net/ipv4/conf/eth0.1/rp_filter"
    assert pure.builtin_modules("kernel/net/xfrm-x.ko\n", "nodev\tbpf\n\text4\n") == {"xfrm_x", "bpf", "ext4"}
