# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Where each artifact comes from, and what is due."""

from typing import Any

import pytest
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.plan import Plan, source_errors

RELEASE = {"url": "https://releases.example.org/kubelet", "checksum": "https://releases.example.org/kubelet.sha256"}
TABLE = {
    "go": {"build": {"kind": "pypi"}},
    "kubernetes": {"binaries": ["kubelet"], "needs": ["go"], "build": {"kind": "go"}, "download": {"kubelet": RELEASE}},
    "pause": {"needs": ["go"], "build": {"kind": "go"}},
    "image": {
        "image": "registry.example.org/pause:1",
        "needs": ["pause"],
        "build": {"kind": "image"},
        "download": True,
    },
    "testserver": {"image": "ghcr.example.org/test:1", "needs": ["go"], "build": {"kind": "image"}},
}
RELEASES, REGISTRY = "https://releases.example.org", "https://registry.example.org"


def plan(
    source: str,
    allowed: bool = True,
    there: tuple[tuple[str, str], ...] = (),
    answers: tuple[str, ...] = (),
    table: dict[str, dict[str, Any]] = TABLE,
) -> Plan:
    """Return a plan; ``there`` names artifact and origin of what the store has."""
    made = Plan(table, source, allowed, lambda _name: {}, lambda name, origin, _key: (name, origin) in there)
    made.answers = dict.fromkeys(answers, True)
    return made


def origins(made: Plan) -> dict[str, str]:
    """Return the origin of each artifact of a plan; in capitals what is due."""
    return {name: choice.origin if choice.present else choice.origin.upper() for name, choice in made.all().items()}


def test_download_takes_releases_and_leaves_out_what_has_none() -> None:
    assert origins(plan("download", allowed=False)) == {"kubernetes": "DOWNLOAD", "image": "DOWNLOAD"}


def test_download_ignores_what_was_built_before() -> None:
    there = (("kubernetes", "build"), ("image", "build"))
    assert origins(plan("download", allowed=False, there=there)) == {"kubernetes": "DOWNLOAD", "image": "DOWNLOAD"}


def test_build_builds_all_and_what_that_needs() -> None:
    expected = dict.fromkeys(["go", "kubernetes", "pause", "image", "testserver"], "BUILD")
    assert origins(plan("build", answers=(RELEASES, REGISTRY))) == expected


def test_compiler_is_not_due_when_all_is_built() -> None:
    there = (("kubernetes", "build"), ("image", "build"), ("testserver", "build"))
    assert origins(plan("build", there=there)) == dict.fromkeys(["kubernetes", "image", "testserver"], "build")


def test_auto_builds_only_what_does_not_answer() -> None:
    found = origins(plan("auto", answers=(RELEASES,)))
    assert found == {"kubernetes": "DOWNLOAD", "go": "BUILD", "pause": "BUILD", "image": "BUILD", "testserver": "BUILD"}


# What cannot be built, of the same site as something that can.
BESIDE = {
    "notifier": {"image": "registry.example.org/notifier:1", "download": True, "beside": "image"},
    **{name: TABLE[name] for name in ("go", "pause", "image")},
}


@pytest.mark.parametrize(
    ("source", "answers", "found"),
    [
        ("download", (), {"notifier": "DOWNLOAD", "image": "DOWNLOAD"}),
        ("auto", (REGISTRY,), {"notifier": "DOWNLOAD", "image": "DOWNLOAD"}),
        ("auto", (), {"go": "BUILD", "pause": "BUILD", "image": "BUILD"}),
        ("build", (REGISTRY,), {"go": "BUILD", "pause": "BUILD", "image": "BUILD"}),
    ],
)
def test_beside_is_taken_only_where_that_entry_is_downloaded(
    source: str, answers: tuple[str, ...], found: dict[str, str]
) -> None:
    assert origins(plan(source, answers=answers, table=BESIDE)) == found


def test_nobody_is_asked_for_what_is_beside_another_entry() -> None:
    elsewhere = {**BESIDE, "notifier": {**BESIDE["notifier"], "image": "other.example.org/notifier:1"}}
    made = plan("auto", answers=(REGISTRY,), table=elsewhere)
    assert made.hosts_in_question() == [REGISTRY]
    assert origins(made) == {"notifier": "DOWNLOAD", "image": "DOWNLOAD"}
    built = plan("auto", there=(("image", "build"),), answers=(REGISTRY,), table=BESIDE)
    assert built.hosts_in_question() == []
    assert origins(built) == {"image": "build"}


def test_beside_stays_once_it_is_there() -> None:
    there = (("notifier", "download"), ("image", "download"))
    made = plan("auto", there=there, table=BESIDE)
    assert origins(made) == {"notifier": "download", "image": "download"}


@pytest.mark.parametrize(
    ("source", "allowed", "found"),
    [
        ("download", False, {"ours": "DOWNLOAD"}),
        ("auto", True, {"ours": "BUILD", "go": "BUILD"}),
        ("build", True, {"ours": "BUILD", "go": "BUILD"}),
    ],
)
def test_own_images_are_built_where_that_is_allowed_and_asked_for_elsewhere(
    source: str, allowed: bool, found: dict[str, str]
) -> None:
    table = {"go": TABLE["go"], "ours": {**TABLE["testserver"], "download": True, "own": True}}
    made = plan(source, allowed, answers=("https://ghcr.example.org",), table=table)
    assert made.hosts_in_question() == []
    assert origins(made) == found


def test_what_the_fleet_does_not_want_is_made_only_for_others() -> None:
    table = {**TABLE, "pause": {**TABLE["pause"], "binaries": ["pause"]}}

    def wanting(*unwanted: str) -> dict[str, str]:
        return origins(Plan(table, "build", True, lambda _name: {}, lambda *_which: False, unwanted=unwanted))

    assert wanting("kubernetes", "image", "pause") == {"testserver": "BUILD", "go": "BUILD"}
    assert wanting("kubernetes", "pause") == dict.fromkeys(["image", "pause", "testserver", "go"], "BUILD")


@pytest.mark.parametrize("origin", ["download", "build"])
def test_auto_keeps_what_is_there(origin: str) -> None:
    there = (("kubernetes", origin), ("image", origin), ("testserver", "build"))
    made = plan("auto", there=there, answers=(RELEASES, REGISTRY))
    assert origins(made) == {"kubernetes": origin, "image": origin, "testserver": "build"}
    assert made.hosts_in_question() == []


def test_hosts_are_asked_once_and_only_where_it_decides() -> None:
    assert plan("auto").hosts_in_question() == [REGISTRY, RELEASES]
    assert plan("auto", there=(("image", "build"),)).hosts_in_question() == [RELEASES]
    assert plan("download").hosts_in_question() == []
    assert plan("build").hosts_in_question() == []


def test_key_of_an_image_follows_what_is_in_it() -> None:
    before = plan("build").all()
    changed = Plan(
        TABLE, "build", True, lambda name: {"main.go": b"new"} if name == "pause" else {}, lambda *_which: False
    ).all()
    differ = {name for name in before if before[name].key != changed[name].key}
    assert differ == {"pause", "image"}


def test_another_release_has_another_key() -> None:
    newer = {
        **TABLE,
        "kubernetes": {**TABLE["kubernetes"], "download": {"kubelet": {**RELEASE, "url": RELEASE["url"] + "2"}}},
    }
    keys = [
        Plan(table, "download", False, lambda _name: {}, lambda *_which: False).all()["kubernetes"].key
        for table in (TABLE, newer)
    ]
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    ("source", "allowed", "words"),
    [
        ("auto", False, "artifacts_build_allowed is false"),
        ("build", False, "artifacts_source: download"),
        ("biuld", True, "one of auto, download, build"),
    ],
)
def test_refused_sources_name_variable_file_and_next_step(source: str, allowed: bool, words: str) -> None:
    (finding,) = source_errors(source, allowed, "inventories/x/group_vars/all.yml")
    for part in (words, source, "artifacts_source", "inventories/x/group_vars/all.yml"):
        assert part in finding


@pytest.mark.parametrize(
    ("source", "allowed"), [("auto", True), ("build", True), ("download", True), ("download", False)]
)
def test_allowed_sources(source: str, allowed: bool) -> None:
    assert source_errors(source, allowed, "") == []
