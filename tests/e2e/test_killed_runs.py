# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""A fleet that was disturbed in each stage of its making ends as an undisturbed one."""

import os
import random
from pathlib import Path

import pytest

import host_state
from fleet import Fleet, run
from fleet_state import same
from small_disk import small_disk

SEED = int(os.environ.get("ODP_TEST_SEED", random.SystemRandom().randrange(10**6)))
# Stage, and about how many tasks it shows.
STAGES = {"preflight": 3, "artifacts": 4, "machines": 5, "clusters": 20, "network": 20, "status": 3}
pytestmark = pytest.mark.e2e


# Eleven runs of a playbook.
@pytest.mark.timeout(1800)
def test_disturbed_in_each_stage_it_ends_in_the_same_state(fleet: Fleet, undisturbed: dict, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    print(f"seed {SEED} (ODP_TEST_SEED={SEED} repeats it)")
    assert fleet.down().code == 0
    with small_disk(tmp_path / "disk", "20G") as disk, fleet.inside(disk.enter):
        before = host_state.snapshot()
        disk.fill(700)
        full = fleet.play("site.yml", "-e", "machine_nspawn_disk_gib=0.1", "-e", "cilium_wait_timeout=90")
        assert full.code != 0
        assert "no space left on device" in full.output.lower(), full.tail()
        disk.free()
        bridge = f"odp-{fleet.name}"
        files = r"clusters \| cluster_kubeadm \| Files"
        dead = fleet.disturbed_in(files, 1, lambda: run(["ip", "link", "set", "dev", bridge, "down"], 10))
        assert dead.code != 0
        assert "Make sure this host can be reached over ssh" in dead.output, dead.tail()
        for stage, tasks in STAGES.items():
            print("killed at", fleet.kill_in(stage, chance, tasks) or f"nothing: {stage} ended before")
            if stage == "machines":  # a half-made fleet goes down as well
                assert fleet.down().code == 0
                assert host_state.left_behind(before) == []
        fleet.must()
        assert same(undisturbed, fleet)
        assert fleet.must().changes == 0
