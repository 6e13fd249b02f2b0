# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Keys, checksums, lock and order of artifacts: pure rules."""

import json
import tempfile
import threading
from graphlib import CycleError
from pathlib import Path

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.artifacts import lockfile as lock
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.build.jobs import (
    Job,
    run_jobs,
    startable,
    urgency,
)
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.download import published_checksum
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.plan import (
    content_key,
    pinned_version,
    version_errors,
)
from ansible_collections.opendata.platform.plugins.module_utils.artifacts.store import files_digest
from hypothesis import given, settings
from hypothesis import strategies as st

# Builds may have the CPUs: no example has a deadline.
quick = settings(deadline=None, max_examples=40)
SHA256 = "ab" * 32
OTHER = "cd" * 32
SHA512 = "ef" * 64
names = st.text("abcdefgh-._", min_size=1, max_size=12).filter(lambda text: text.strip("*"))
digests = st.sampled_from([SHA256, SHA512])


# Keys


@quick
@given(st.dictionaries(names, st.text()), st.dictionaries(names, st.binary(max_size=9)), st.dictionaries(names, names))
def test_key_does_not_depend_on_order(recipe: dict, sources: dict, needs: dict) -> None:
    turned = [dict(reversed(list(part.items()))) for part in (recipe, sources, needs)]
    assert content_key(recipe, sources, needs) == content_key(*turned)


@pytest.mark.parametrize(
    ("recipe", "sources", "needs"),
    [
        ({"kind": "go", "tags": "b"}, {"go.mod": b"1"}, {"go": "x"}),
        ({"kind": "go", "tags": "a"}, {"go.mod": b"2"}, {"go": "x"}),
        ({"kind": "go", "tags": "a"}, {"go.sum": b"1"}, {"go": "x"}),
        ({"kind": "go", "tags": "a"}, {"go.mod": b"1"}, {"go": "y"}),
        ({"kind": "go", "tags": "a"}, {"go.mod": b"1"}, {}),
    ],
)
def test_key_changes_with_recipe_sources_and_needs(recipe: dict, sources: dict, needs: dict) -> None:
    assert content_key(recipe, sources, needs) != content_key(
        {"kind": "go", "tags": "a"}, {"go.mod": b"1"}, {"go": "x"}
    )


def test_key_does_not_change_with_the_estimate() -> None:
    assert content_key({"kind": "go", "seconds": 1}, {}, {}) == content_key({"kind": "go", "seconds": 2}, {}, {})


@quick
@given(st.dictionaries(names, digests.map(lambda digest: {"sha256": digest}), min_size=2))
def test_digest_of_files_does_not_depend_on_order_and_sees_each_name(files: dict) -> None:
    assert files_digest(files) == files_digest(dict(reversed(list(files.items()))))
    first = next(iter(files))
    renamed = {("renamed" if name == first else name): entry for name, entry in files.items()}
    assert files_digest(renamed) != files_digest(files)


def test_digest_of_one_file_is_what_sha256sum_says() -> None:
    assert files_digest({"kubelet": {"sha256": SHA256}}) == SHA256


GO_MOD = "module x\n\nrequire example.org/one v1.2.3\n\nrequire (\n\texample.org/two/v2 v2.0.1 // indirect\n)\n"


@pytest.mark.parametrize(
    ("module", "version"), [("example.org/one", "v1.2.3"), ("example.org/two/v2", "v2.0.1"), ("example.org/tw", "")]
)
def test_pinned_version(module: str, version: str) -> None:
    assert pinned_version(GO_MOD, module) == version


def test_version_that_go_mod_does_not_pin_is_named() -> None:
    build = {"source": "toolchain/one", "module": "example.org/one"}
    table = {"one": {"version": "1.2.4", "build": build}, "same": {"version": "v1.2.3", "build": build}}
    findings = version_errors(table, lambda _source: GO_MOD)
    assert len(findings) == 1
    for part in (
        "one is 1.2.4",
        "toolchain/one/go.mod",
        "v1.2.3",
        "artifacts_versions",
        "go get example.org/one@v1.2.4",
    ):
        assert part in findings[0]


def test_module_of_a_build_may_have_a_version_of_its_own() -> None:
    build = {"source": "toolchain/one", "module": "example.org/one", "module_version": "1.2.3"}
    assert version_errors({"one": {"version": "9", "build": build}}, lambda _source: GO_MOD) == []
    (finding,) = version_errors(
        {"one": {"version": "1.2.3", "build": {**build, "module_version": "8"}}}, lambda _: GO_MOD
    )
    for part in ("one is 8", "pins example.org/one v1.2.3", "go get example.org/one@v8"):
        assert part in finding


# Checksums


@quick
@given(digests, st.sampled_from(["", "\n", "\r\n"]))
def test_bare_digest(digest: str, end: str) -> None:
    assert published_checksum(digest + end, "any").endswith(f":{digest}")


@quick
@given(st.dictionaries(names, digests, min_size=2, max_size=6), st.sampled_from(["  ", " *", "  ./", "  dist/"]))
def test_lines_of_sha256sum(files: dict[str, str], between: str) -> None:
    text = "".join(f"{digest}{between}{name}\n" for name, digest in files.items())
    for name, digest in files.items():
        algorithm = "sha256" if len(digest) == 64 else "sha512"
        assert published_checksum(text, name) == f"{algorithm}:{digest}"


@quick
@given(names, names)
def test_another_file_s_line_is_never_taken(wanted: str, named: str) -> None:
    text = f"{SHA256}  {named}\n"
    if wanted == named:
        assert published_checksum(text, wanted) == f"sha256:{SHA256}"
    else:
        with pytest.raises(ValueError, match="not have exactly one checksum"):
            published_checksum(text, wanted)


def test_release_of_github_and_index_of_helm() -> None:
    release = json.dumps({"assets": [{"name": "a.yaml", "digest": f"sha256:{SHA256}"}, {"name": "b", "digest": None}]})
    assert published_checksum(release, "a.yaml") == f"sha256:{SHA256}"
    index = yaml.safe_dump(
        {
            "apiVersion": "v1",
            "entries": {
                "cilium": [
                    {"version": "2", "digest": OTHER, "urls": ["https://example.org/cilium-2.tgz"]},
                    {"version": "1", "digest": SHA256, "urls": ["cilium-1.tgz"]},
                ]
            },
        }
    )
    assert published_checksum(index, "cilium-1.tgz") == f"sha256:{SHA256}"
    for text in (release, index):
        with pytest.raises(ValueError):
            published_checksum(text, "c")
    with pytest.raises(ValueError):
        published_checksum(release, "b")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>Not Found</html>",
        SHA256[:-1],
        "zz" * 32,
        f"{SHA256}  a\n{OTHER}  a\n",
        "{broken",
        "entries: [a: b: c",
    ],
)
def test_text_without_one_checksum_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        published_checksum(text, "a")


# Lock

entries = st.fixed_dictionaries({"origin": st.sampled_from(["build", "download"]), "version": names, "digest": digests})


@quick
@given(st.dictionaries(names, entries, max_size=4))
def test_lock_is_read_as_it_was_written_and_stable(binaries: dict) -> None:
    facts = {"binaries": binaries, "images": {}, "files": {}}
    turned = {"files": {}, "images": {}, "binaries": dict(reversed(list(binaries.items())))}
    text = lock.render(facts)
    assert lock.read(text) == binaries
    assert lock.render(turned) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1", "expected the keys binaries, "),
        ("- 1", "expected the keys binaries, "),
        ("binaries: {kubelet: {}}", "binaries.kubelet has no origin"),
        ("binaries: {kubelet: 1}", "binaries.kubelet has no origin"),
    ],
)
def test_what_is_no_lock_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        lock.read(text)


def test_lock_with_builds_is_refused_where_builds_are() -> None:
    locked = {f"b{n}": {"origin": "build"} for n in range(6)} | {"d": {"origin": "download"}}
    (finding,) = lock.refused_builds(locked, "/x/.state/artifacts.lock.yml", "x/group_vars/all.yml")
    for part in (
        "b0, b1, b2, b3 and 2 more",
        "/x/.state/artifacts.lock.yml",
        "x/group_vars/all.yml",
        "artifacts_source: download",
    ):
        assert part in finding
    assert lock.refused_builds({"d": {"origin": "download"}}, "", "") == []


OLD = {"origin": "download", "version": "1", "digest": "sha256:a", "checksum": "sha256:b"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (OLD, {"version": "1", "checksum": "sha256:c"}, "published checksum"),
        (OLD, {"version": "1", "digest": "sha256:c"}, "digest of the file"),
        (OLD, {"version": "1", "digest": "sha256:a", "checksum": "sha256:b"}, ""),
        (OLD, {"version": "2", "digest": "sha256:c", "checksum": "sha256:d"}, ""),
        (OLD | {"origin": "build"}, {"version": "1", "digest": "sha256:c"}, ""),
        (None, {"version": "1", "digest": "sha256:c"}, ""),
    ],
)
def test_release_that_changed_after_the_lock(old: dict | None, new: dict, words: str) -> None:
    findings = lock.changed_release("kubelet", old, new, "https://example.org/kubelet", "/x/lock.yml")
    assert len(findings) == bool(words)
    for finding in findings:
        for part in (words, "kubelet 1", "https://example.org/kubelet", "sha256:c", "/x/lock.yml", "remove the entry"):
            assert part in finding


# Order


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    """Jobs that need only such as stand before them."""
    found: dict[str, list[str]] = {}
    for number in range(draw(st.integers(1, 8))):
        found[f"job{number}"] = draw(st.lists(st.sampled_from(sorted(found)), unique=True)) if found else []
    return found


@quick
@given(graphs(), st.integers(1, 4), st.data())
def test_every_job_runs_once_after_what_it_needs(needs: dict[str, list[str]], room: int, data: st.DataObject) -> None:
    running: set[str] = set()
    done: list[str] = []
    guard = threading.Lock()

    def work(job: Job) -> None:
        with guard:
            assert set(job.needs) <= set(done)
            running.add(job.name)
            assert len(running) <= room
            assert sum(groups[name] == "go" for name in running) <= 1
        with guard:
            running.remove(job.name)
            done.append(job.name)

    groups = {name: data.draw(st.sampled_from(["", "go"])) for name in needs}
    jobs = [
        Job(name, lambda _shell: None, needs[name], data.draw(st.integers(0, 9)), "", groups[name]) for name in needs
    ]
    for job in jobs:
        job.work = lambda _shell, job=job: work(job)
    with tempfile.TemporaryDirectory() as logs:
        assert set(run_jobs(jobs, Path(logs), room, lambda _line: None)) == set(needs)
    assert sorted(done) == sorted(needs)


def test_longest_chain_first() -> None:
    needs = {"go": [], "kubernetes": ["go"], "image": ["kubernetes"], "root": [], "helm": []}
    urgent = urgency(needs, {"go": 5, "kubernetes": 400, "image": 5, "root": 60, "helm": 3})
    assert urgent == {"go": 410, "kubernetes": 405, "image": 5, "root": 60, "helm": 3}


def test_a_busy_group_waits() -> None:
    jobs = [Job(name, lambda _shell: None, group=group) for name, group in (("a", "go"), ("b", "go"), ("c", ""))]
    assert [job.name for job in startable(jobs, set(), 3)] == ["a", "c"]
    assert [job.name for job in startable(jobs, {"go"}, 3)] == ["c"]
    assert [job.name for job in startable(jobs, set(), 1)] == ["a"]


@pytest.mark.parametrize("needs", [{"a": ["b"], "b": ["a"]}, {"a": ["a"]}])
def test_jobs_that_need_each_other_are_refused(needs: dict[str, list[str]]) -> None:
    with pytest.raises(CycleError):
        urgency(needs, dict.fromkeys(needs, 1.0))
