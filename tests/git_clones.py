# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Real Git repositories on this machine: a bare one, and clones of it as users have them."""

import subprocess
from pathlib import Path
from typing import Any

PATH = "clusters/test/north"
FILES = {"platform/team.yaml": "kind: Kustomization\n", "services/team/manifests.yaml": "kind: Namespace\n"}


def bare(place: Path) -> Path:
    """A repository without a work tree and without a commit."""
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", str(place)], check=True, capture_output=True)
    return place


class Clone:
    """A clone with branch main checked out, and somebody who commits."""

    def __init__(self, place: Path, origin: Path) -> None:
        self.place, self.origin = place, f"file://{origin}"
        subprocess.run(["git", "clone", "--quiet", self.origin, str(place)], check=True, capture_output=True)
        for setting in ("user.name=Tester", "user.email=tester@example.org"):
            self.git("config", *setting.split("="))

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.place), *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout.rstrip()

    def write(self, path: str, text: str = "text\n") -> None:
        target = self.place / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def commit(self, path: str, text: str = "text\n") -> None:
        self.write(path, text)
        self.git("add", path)
        self.git("commit", "--quiet", "-m", f"Write {path}")

    def push_first(self) -> "Clone":
        """Give the empty repository its first commit."""
        self.commit("README.md")
        self.git("push", "--quiet", "--set-upstream", "origin", "main")
        return self

    def arguments(self, files: Any = FILES, path: str = PATH, **more: Any) -> dict[str, Any]:
        """Arguments of module git_tree for a tree in this clone."""
        return {"directory": str(self.place), "path": path, "files": files, "commit_message": "Deliver north", **more}

    def state(self) -> dict[str, str]:
        """All that a run may change: the branch, the index with the work tree, the remote."""
        seen = {"head": self.git("rev-parse", "HEAD"), "status": self.git("status", "--porcelain", "-uall")}
        return {**seen, "remote": self.git("ls-remote", self.origin, "refs/heads/main").split("\t")[0]}

    def names(self, path: str = PATH) -> list[str]:
        """The files of a folder in the last commit."""
        return self.git("ls-tree", "-r", "--name-only", f"HEAD:{path}").splitlines()
