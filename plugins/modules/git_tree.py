# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Commit and push exactly the given files as one folder of a Git repository."""

from __future__ import annotations

DOCUMENTATION = """
module: git_tree
short_description: Commit and push exactly the given files as one folder of a Git repository
description:
  - Creates one commit and pushes it, when the folder on the remote differs. Otherwise there is no commit and no push.
  - The commit contains that folder only. Other files of the work tree, changed or not, stay as they are.
  - The local branch and work tree follow after the remote has accepted the commit. A rejected push changes nothing.
  - Runs the program C(git) with the user's own settings and keys, and never prompts. Of the hooks only
    C(pre-push) runs, and commits are not signed.
  - Fails before any change when the directory is not in a repository, another branch is checked out, the folder has
    uncommitted changes, or the branch has no upstream or differs from it.
options:
  directory: {description: "A directory of the clone, on this machine.", type: path, required: true}
  path: {description: "The folder, from the top of the repository.", type: str, required: true}
  files: {description: "Text of each file, by its path below the folder.", type: dict, required: true}
  branch:
    description: The branch, which must be checked out; pushed to the branch of the same name.
    type: str
    default: main
  commit_message: {description: Message of the commit., type: str, required: true}
attributes:
  check_mode: {description: "Fetches and compares, creates no commit.", support: full}
  diff_mode: {description: Shows each file before and after; data of Secrets as digests., support: full}
requirements: [git 2.25, PyYAML]
author: Open Data Platform contributors (@opendata)
"""

EXAMPLES = """
- name: Commit the tree of the cluster
  opendata.platform.git_tree:
    directory: /srv/fleet
    path: clusters/production/north
    files:
      platform/team.yaml: "{{ team | to_nice_yaml }}"
    commit_message: Deliver north
  throttle: 1
"""

RETURN = """
commit:
  description:
    - Commit at which the branch is afterwards, here and on the remote.
    - In check mode, when there would be a commit, zeros.
  returned: always
  type: str
  sample: 132f4e719209eb10b9485302f8593fc0e680f4fc
revision:
  description: What Flux calls it.
  returned: always
  type: str
  sample: main@sha1:132f4e719209eb10b9485302f8593fc0e680f4fc
"""

import posixpath
from typing import Any

from ansible_collections.opendata.platform.plugins.module_utils.git.tree import Entry, GitError, Tree
from ansible_collections.opendata.platform.plugins.module_utils.module import Module
from ansible_collections.opendata.platform.plugins.module_utils.oci import archive


def folder(path: str) -> list[str]:
    """Return a finding if the path is not a folder of a repository."""
    plain = posixpath.normpath(path)
    if plain == path and path[0] not in "./":
        return []
    return [f"path '{path}' is not a folder below the top of a repository: write it like clusters/production/north"]


def differences(tree: Tree, before: dict[str, Entry], files: dict[str, str]) -> list[dict[str, Any]]:
    """The files that differ, for diff mode; read only those."""
    after = tree.wanted(files)
    differ = [path for path in {*before, *after} if before.get(path) != after.get(path)]
    old = {path: tree.text(before[path]) for path in differ if path in before}
    return archive.diff(old, {path: files[path] for path in differ if path in files})


def main() -> None:
    """Run the module."""
    module = Module(
        {
            "directory": {"type": "path", "required": True},
            "path": {"type": "str", "required": True},
            "files": {"type": "dict", "required": True},
            "branch": {"type": "str", "default": "main"},
            "commit_message": {"type": "str", "required": True},
        },
        libraries=("yaml",),
        # Keeps the call out of syslog: files may contain secrets.
        no_log=True,
    )
    files = module.params["files"]
    # The recorded invocation must not contain the texts.
    module.params["files"] = sorted(files)
    tree = Tree(module.params["directory"], module.params["path"], module.params["branch"])
    try:
        findings = folder(module.params["path"]) + archive.findings(files)
        findings += tree.findings() if not findings else []
        if findings:
            module.fail_json(msg=f"Nothing was committed: {'; '.join(findings)}.", findings=findings)
        before = tree.entries()
        changed = before != tree.wanted(files)
        diff = differences(tree, before, files) if changed and module._diff else []
        if changed and not module.check_mode:
            tree.publish(files, module.params["commit_message"])
        commit = "0" * len(tree.tip) if changed and module.check_mode else tree.tip
        if not module.check_mode:
            tree.catch_up()
    except GitError as error:
        module.fail_json(msg=f"{module.params['path']} of {tree.top} was not published: {error}")
    revision = f"{tree.branch}@sha{1 if len(commit) == 40 else 256}:{commit}"
    module.exit_json(changed=changed, commit=commit, revision=revision, diff=diff)


if __name__ == "__main__":
    main()
