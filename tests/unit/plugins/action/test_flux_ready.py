# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Action flux_ready: the progress of its module on the terminal."""

import pytest
from ansible.utils.display import Display
from ansible_collections.opendata.platform.plugins.action import direct, flux_ready
from ansible_collections.opendata.platform.plugins.module_utils.flux import watch


def test_the_action_shows_progress_with_the_name_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(Display, "display", lambda _self, text, **_options: shown.append(text))
    monkeypatch.setattr(direct.ActionModule, "run", lambda *_arguments: watch.PROGRESS.info("5 of 8 ready"))
    action = object.__new__(flux_ready.ActionModule)
    for host in ("north", "south"):
        action.run(None, {"inventory_hostname": host})
    assert shown == ["north: 5 of 8 ready", "south: 5 of 8 ready"]
