# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Module git_tree against real repositories: what it commits, what it leaves alone, what it refuses."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.opendata.platform.plugins.module_utils.git.tree import Git, GitError, Tree, blob

from git_clones import FILES, PATH, Clone

Run = Callable[..., dict[str, Any]]
OTHER = {"platform/other.yaml": "kind: HelmRelease\n"}


def test_a_first_run_is_one_commit_that_is_pushed(run: Run, clone: Clone) -> None:
    before = clone.state()["head"]
    made = run("git_tree", **clone.arguments())
    assert made["changed"] and made["revision"] == f"main@sha1:{made['commit']}"
    assert clone.state() == {"head": made["commit"], "status": "", "remote": made["commit"]}
    assert clone.git("rev-parse", "HEAD~") == before
    assert clone.git("log", "-1", "--format=%an %s") == "Tester Deliver north"
    assert clone.names() == [*FILES] and clone.names("") == ["README.md", *(f"{PATH}/{path}" for path in FILES)]
    assert {path: (clone.place / PATH / path).read_text() for path in FILES} == FILES


def test_a_second_run_makes_no_commit_and_no_push(run: Run, clone: Clone, bare: Path) -> None:
    made = run("git_tree", **clone.arguments())
    (bare / "hooks/pre-receive").write_text("#!/bin/sh\nexit 1\n")
    (bare / "hooks/pre-receive").chmod(0o755)
    again = run("git_tree", **clone.arguments(dict(reversed(FILES.items()))))
    assert (again["changed"], again["commit"], again["diff"]) == (False, made["commit"], [])


def test_what_is_no_longer_wanted_is_removed(run: Run, clone: Clone) -> None:
    run("git_tree", **clone.arguments())
    run("git_tree", **clone.arguments(OTHER))
    assert clone.names() == [*OTHER]
    assert [path.name for path in (clone.place / PATH).rglob("*") if path.is_file()] == ["other.yaml"]
    assert clone.state()["status"] == ""


def test_a_file_may_become_a_folder_and_lose_a_mode(run: Run, clone: Clone) -> None:
    run("git_tree", **clone.arguments({"a": "1\n", "b": "1\n"}))
    (clone.place / PATH / "b").chmod(0o755)
    clone.git("commit", "--quiet", "-am", "Another mode")
    clone.git("push", "--quiet")
    assert run("git_tree", **clone.arguments({"a/c": "1\n", "b": "1\n"}))["changed"]
    assert clone.git("ls-tree", "-r", f"HEAD:{PATH}").count("100644") == 2 and clone.names() == ["a/c", "b"]
    assert not os.access(clone.place / PATH / "b", os.X_OK)


def test_only_the_folder_is_committed(run: Run, clone: Clone) -> None:
    clone.commit("staged.txt")
    clone.git("push", "--quiet")
    clone.write("staged.txt", "other\n")
    clone.git("add", "staged.txt")
    clone.write("README.md", "other\n")
    clone.write("clusters/test/south/mine.yaml")
    before = clone.state()["status"]
    assert before.splitlines() == [" M README.md", "M  staged.txt", "?? clusters/test/south/mine.yaml"]
    assert run("git_tree", **clone.arguments())["changed"]
    assert clone.state()["status"] == before
    assert {line.split("\t")[1] for line in clone.git("diff", "--name-status", "HEAD~", "HEAD").splitlines()} == {
        f"{PATH}/{path}" for path in FILES
    }


def test_files_that_git_ignores_are_committed_all_the_same(run: Run, clone: Clone) -> None:
    clone.commit(".gitignore", "*.yaml\n")
    clone.git("push", "--quiet")
    run("git_tree", **clone.arguments())
    assert clone.names() == [*FILES] and clone.state()["status"] == ""


def test_a_subdirectory_names_its_repository_and_hooks_of_git_do_not_mislead(
    run: Run, clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone.write("inventories/test/hosts.yml")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "nothing"))
    made = run("git_tree", **clone.arguments() | {"directory": str(clone.place / "inventories/test")})
    assert made.get("changed") is True, made
    monkeypatch.undo()
    assert clone.names() == [*FILES]


def test_check_mode_commits_nothing_and_shows_the_same(run: Run, clone: Clone) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"key": "very-secret"}}
    run("git_tree", **clone.arguments({**FILES, "secret.yaml": yaml.safe_dump(secret)}))
    secret["stringData"]["key"] = "other-secret"
    wanted = {"platform/team.yaml": "kind: HelmRelease\n", "secret.yaml": yaml.safe_dump(secret)}
    before = clone.state()
    planned = run("git_tree", check=True, **clone.arguments(wanted))
    assert planned["changed"] and planned["commit"] == "0" * 40 and clone.state() == before
    assert [(each["after_header"], bool(each["before"]), bool(each["after"])) for each in planned["diff"]] == [
        ("platform/team.yaml", True, True),
        ("secret.yaml", True, True),
        ("services/team/manifests.yaml", True, False),
    ]
    first = planned["diff"][0]
    assert (first["before"], first["after"]) == ("kind: Kustomization\n", "kind: HelmRelease\n")
    assert "very-secret" not in str(planned) and "other-secret" not in str(planned)
    made = run("git_tree", **clone.arguments(wanted))
    assert made["diff"] == planned["diff"]
    assert run("git_tree", check=True, **clone.arguments(wanted))["commit"] == made["commit"]


def test_trees_of_several_clusters_follow_one_another(run: Run, clone: Clone) -> None:
    north = run("git_tree", **clone.arguments())
    south = run("git_tree", **clone.arguments(path="clusters/test/south"))
    assert clone.git("rev-parse", "HEAD~") == north["commit"] and clone.state()["remote"] == south["commit"]
    for path in (PATH, "clusters/test/south"):
        again = run("git_tree", **clone.arguments(path=path))
        assert (again["changed"], again["commit"]) == (False, south["commit"])


def test_a_clone_with_linked_work_trees_and_one_that_is_shallow(run: Run, clone: Clone, bare: Path) -> None:
    run("git_tree", **clone.arguments())
    place = clone.place.with_name("shallow")
    command = ["git", "clone", "--quiet", "--depth=1", f"file://{bare}", str(place)]
    subprocess.run(command, check=True, capture_output=True)
    clone.git("-C", str(place), "config", "user.name", "Tester")
    clone.git("-C", str(place), "config", "user.email", "tester@example.org")
    assert run("git_tree", **clone.arguments(OTHER) | {"directory": str(place)})["changed"]


# What is wrong, and the words that say so.
def behind(clone: Clone, other: Clone) -> None:
    other.commit("theirs.txt")
    other.git("push", "--quiet")


def diverged(clone: Clone, other: Clone) -> None:
    behind(clone, other)
    clone.commit("mine.txt")


def other_branch(clone: Clone, _other: Clone) -> None:
    clone.git("switch", "--quiet", "--create", "feature")


def detached(clone: Clone, _other: Clone) -> None:
    clone.git("checkout", "--quiet", "--detach")


def pushed_elsewhere(clone: Clone, _other: Clone) -> None:
    clone.git("push", "--quiet", "origin", "main:elsewhere")
    clone.git("branch", "--quiet", "--set-upstream-to", "origin/elsewhere")


def unreachable(clone: Clone, _other: Clone) -> None:
    clone.git("remote", "set-url", "origin", f"file://{clone.place.parent}/nowhere.git")


def dirty(clone: Clone, _other: Clone) -> None:
    clone.write(f"{PATH}/platform/team.yaml", "mine\n")


def dirty_and_behind(clone: Clone, other: Clone) -> None:
    dirty(clone, other)
    behind(clone, other)


FAULTS: list[tuple[Callable[[Clone, Clone], object], list[str]]] = [
    (behind, ["branch main of {top} is behind origin/main (commits: 1): git -C {top} pull --ff-only"]),
    (
        diverged,
        ["has diverged from origin/main (commits here: 1, there: 1): git -C {top} pull --rebase, and push"],
    ),
    (
        lambda clone, _other: clone.commit("mine.txt"),
        ["branch main of {top} has commits that are not pushed (1): git -C {top} push"],
    ),
    (other_branch, ["{top} has branch feature checked out, not main: git -C {top} switch main"]),
    (detached, ["{top} has no branch checked out, not main: git -C {top} switch main"]),
    (
        lambda clone, _other: clone.git("branch", "--unset-upstream"),
        ["branch main of {top} has no upstream: git -C {top} push --set-upstream origin main"],
    ),
    (
        pushed_elsewhere,
        [
            "is pushed to refs/heads/elsewhere, a branch of another name: "
            "git -C {top} branch --set-upstream-to origin/main"
        ],
    ),
    (
        unreachable,
        ["origin/main of {top} cannot be fetched (", "does not appear to be a git repository", "git -C {top} fetch"],
    ),
    (
        dirty,
        [
            f"{PATH} may only be written by this module, but has uncommitted changes ({PATH}/platform/team.yaml): "
            f"git -C {{top}} stash --include-untracked -- {PATH}"
        ],
    ),
    (dirty_and_behind, ["has uncommitted changes", "pull --ff-only"]),
]


@pytest.mark.parametrize(("spoil", "words"), FAULTS)
@pytest.mark.parametrize("check", [False, True])
def test_it_refuses_before_any_change(
    run: Run, clone: Clone, make: Callable[[str], Clone], spoil: Any, words: list[str], check: bool
) -> None:
    spoil(clone, make("other"))
    before = clone.state()
    refused = run("git_tree", check=check, **clone.arguments())
    assert refused["failed"] and clone.state() == before
    for each in words:
        assert each.format(top=clone.place) in refused["msg"]


def test_somebody_has_to_be_the_one_who_commits(run: Run, clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    clone.git("config", "--unset", "user.email")
    clone.git("config", "user.useConfigOnly", "true")
    before = clone.state()
    refused = run("git_tree", **clone.arguments())
    assert "git config --global user.email" in refused["msg"] and clone.state() == before


def test_what_is_no_repository_is_refused(run: Run, clone: Clone, tmp_path: Path) -> None:
    refused = run("git_tree", **clone.arguments() | {"directory": str(tmp_path)})
    assert f"{tmp_path} is not in a usable Git repository (not a git repository" in refused["msg"]
    assert "set a clone of the repository that Flux reads" in refused["msg"]


def test_a_repository_without_a_commit_has_no_upstream_yet(run: Run, make: Callable[[str], Clone]) -> None:
    clone = make("empty")
    refused = run("git_tree", **clone.arguments())
    assert "origin/main" in refused["msg"] and "cannot be fetched" in refused["msg"]


@pytest.mark.parametrize("path", ["", ".", "/", "/a", "../a", "a/../b", "a/", "./a", ".git/hooks"])
def test_a_path_is_a_folder_below_the_top(run: Run, clone: Clone, path: str) -> None:
    refused = run("git_tree", **clone.arguments({}, path=path))
    assert f"path '{path}' is not a folder below the top of a repository" in refused["msg"]
    assert "files is empty: Flux would prune all" in refused["msg"]


def hook(directory: Path, text: str) -> Path:
    directory.write_text(f"#!/bin/sh\n{text}\n")
    directory.chmod(0o755)
    return directory


def test_a_push_that_is_refused_leaves_nothing_behind(run: Run, clone: Clone, bare: Path) -> None:
    refusal = hook(bare / "hooks/pre-receive", "echo the branch is protected; exit 1")
    before = clone.state()
    refused = run("git_tree", **clone.arguments())
    words = f"origin rejected the push, nothing was changed; find the reason with git -C {clone.place} push --dry-run"
    assert words in refused["msg"] and "the branch is protected" in refused["msg"]
    assert clone.state() == before and not (clone.place / PATH).exists()
    refusal.unlink()
    assert run("git_tree", **clone.arguments())["changed"]


@pytest.mark.parametrize("moment", ["before the push", "within the push"])
def test_somebody_who_is_faster_wins(clone: Clone, make: Callable[[str], Clone], moment: str) -> None:
    other = make("other")
    other.commit("theirs.txt")
    tree = Tree(str(clone.place), PATH, "main")
    assert tree.findings() == []
    if moment == "before the push":
        other.git("push", "--quiet")
    else:
        hook(clone.place / ".git/hooks/pre-push", f"cd {other.place} && unset GIT_DIR && git push --quiet")
    before = clone.state()
    words = (
        f"nothing was changed; someone else has pushed meanwhile: git -C {clone.place} pull --ff-only, and run again"
    )
    with pytest.raises(GitError, match=words):
        tree.publish(FILES, "Deliver north")
    assert {**clone.state(), "remote": ""} == {**before, "remote": ""}
    assert clone.state()["remote"] == other.state()["head"]


def test_a_push_that_broke_off_after_it_was_taken_is_done(run: Run, clone: Clone) -> None:
    taken = 'while read _ commit ref _; do git push --no-verify --quiet origin "$commit:$ref"; done; exit 1'
    hook(clone.place / ".git/hooks/pre-push", taken)
    made = run("git_tree", **clone.arguments())
    assert made["changed"] and clone.state() == {"head": made["commit"], "status": "", "remote": made["commit"]}


@pytest.mark.parametrize("step", ["pushed", "written", "done"])
def test_a_run_that_was_killed_is_made_up_for_by_the_next(run: Run, clone: Clone, step: str) -> None:
    tree = Tree(str(clone.place), PATH, "main")
    assert tree.findings() == []
    tree.publish(FILES, "Deliver north")
    if step != "pushed":
        clone.git("restore", f"--source={tree.tip}", "--staged", "--worktree", "--", PATH)
    if step == "done":
        tree.catch_up()
    planned = run("git_tree", check=True, **clone.arguments())
    again = run("git_tree", **clone.arguments())
    for result in (planned, again):
        assert (result["changed"], result["commit"]) == (False, tree.tip)
    assert clone.state() == {"head": tree.tip, "status": "", "remote": tree.tip}


def test_git_asks_nobody(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_ASKPASS", "/bin/true")
    clone.git("config", "core.sshCommand", "ssh -i mine")
    clone.git("config", "alias.shown", "!env")
    seen = dict(line.partition("=")[::2] for line in Git(str(clone.place)).run("shown").splitlines())
    assert seen["GIT_SSH_COMMAND"] == "ssh -i mine -oBatchMode=yes"
    assert seen["GIT_TERMINAL_PROMPT"] == "0" and "SSH_ASKPASS" not in seen


def test_a_machine_without_git_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(GitError, match="install package git"):
        Git("/").run("status")


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_names_of_blobs_are_those_of_git(tmp_path: Path, digest: str) -> None:
    command = ["git", "init", "--quiet", f"--object-format={digest}", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    (tmp_path / "file").write_bytes(data := "Grüße\n".encode())
    name = Git(str(tmp_path)).line("hash-object", "file")
    assert blob(data, name) == name
