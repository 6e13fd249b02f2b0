# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Detect a kubeconfig that points to a different cluster than before."""

from __future__ import annotations

DOCUMENTATION = """
module: cluster_identity
short_description: Detect a kubeconfig that points to a different cluster than before
description:
  - Compares the UID of namespace C(kube-system), which is unique to a cluster, with the one that was recorded at the
    first contact. Fails with all clusters that differ.
  - Records it if there is no record.
  - Skips a cluster without a kubeconfig, and one that does not answer.
options:
  clusters:
    description: C(kubeconfig) and C(uid_file), the path of the record, by name of the cluster; other keys are ignored.
    type: dict
    required: true
attributes:
  check_mode: {description: Records nothing., support: full}
  diff_mode: {description: Shows what is recorded., support: full}
requirements: [PyYAML, urllib3, kubernetes (for kubeconfigs with exec plugins or proxies)]
author: Open Data Platform contributors (@opendata)
"""

EXAMPLES = """
- name: Check that each cluster is the same as before
  opendata.platform.cluster_identity:
    clusters: "{{ fleet.clusters }}"
"""

RETURN = """
uids:
  description: UIDs of the clusters that answered, by name.
  returned: success
  type: dict
  sample: {north: 6f0fa6e5-7c3c-4d0b-9d36-0a7d6ad0a1b8}
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ansible_collections.opendata.platform.plugins.module_utils.files import atomic_write
from ansible_collections.opendata.platform.plugins.module_utils.fleet import identity as pure
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.client import ApiError, Cluster, Unreachable
from ansible_collections.opendata.platform.plugins.module_utils.kubernetes.module import ControllerModule
from ansible_collections.opendata.platform.plugins.module_utils.module import difference


def look(name: str, kubeconfig: str, file: str) -> pure.Seen:
    """Read the identity of one cluster."""
    record = Path(file)
    recorded = record.read_text(encoding="utf-8").strip() if record.exists() else ""
    try:
        uid = Cluster(kubeconfig).uid() if Path(kubeconfig).exists() else ""
    except (ApiError, Unreachable):
        # The stages that need the cluster report the reason.
        uid = ""
    return pure.Seen(name, kubeconfig, uid, file, recorded)


def main() -> None:
    """Run the module."""
    module = ControllerModule({"clusters": {"type": "dict", "required": True}})
    clusters = sorted(module.params["clusters"].items())
    with ThreadPoolExecutor(max(len(clusters), 1)) as pool:
        seen = list(pool.map(lambda item: look(item[0], item[1]["kubeconfig"], item[1]["uid_file"]), clusters))
    if found := pure.findings(seen):
        module.fail_json(msg="\n".join(map(str, found)))
    due = pure.unrecorded(seen)
    with module.reporting(OSError, after=". Fix that, then run again."):
        for each in due if not module.check_mode else []:
            Path(each.file).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic_write(each.file, f"{each.uid}\n", 0o600)
    module.exit_json(
        changed=bool(due),
        uids={each.name: each.uid for each in seen if each.uid},
        diff=[difference(each.file, "", f"{each.uid}\n") for each in due],
    )


if __name__ == "__main__":
    main()
