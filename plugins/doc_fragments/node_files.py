# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Documentation that modules share that manage files and units of a node."""

from __future__ import annotations


class ModuleDocFragment:
    """The options in `node/converge.py`."""

    DOCUMENTATION = r"""
options:
  files:
    description: Files to write, owned by the user who runs the task.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Path of the file., type: path, required: true}
      content: {description: Text of the file., type: str}
      url: {description: URL to download it from., type: str, default: ""}
      sha256: {description: "SHA-256 of the final file; required with O(files[].url).", type: str, default: ""}
      member: {description: "Name of the file in the archive, if O(files[].url) is an archive.", type: str, default: ""}
      mode: {description: Octal mode of the file., type: str, default: "0644"}
  secrets:
    description: Text by path, written with mode 0600 and never shown in a diff or log.
    type: dict
    default: {}
  absent: {description: Files to remove., type: list, elements: path, default: []}
  restarts:
    description: Units to restart, if they are running, when this task changes a file that they read.
    type: list
    elements: dict
    default: []
    suboptions:
      unit: {description: Name of the unit with suffix., type: str, required: true}
      "on": {description: Paths of the files that the unit reads., type: list, elements: path, required: true}
      oneshot: {description: "Start it if it is not running, and do not wait for its end.", type: bool, default: false}
  units:
    description: Units to enable and start.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the unit with suffix., type: str, required: true}
      when_exists: {description: Start the unit only if this path exists., type: path, default: ""}
"""
