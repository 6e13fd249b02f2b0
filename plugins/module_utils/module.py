# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""What all modules share. Runs on nodes too."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from .findings import Finding
from .libraries import require


class Module(AnsibleModule):
    """A module with check mode, as all of this collection are."""

    if TYPE_CHECKING:  # AnsibleModule has no type hints

        def fail_json(self, msg: str, **results: Any) -> NoReturn: ...
        def exit_json(self, **results: Any) -> NoReturn: ...

    def __init__(self, argument_spec: dict[str, Any], libraries: Iterable[str] = (), **arguments: Any) -> None:
        super().__init__(argument_spec=argument_spec, supports_check_mode=True, **arguments)
        require(self, *libraries)

    @contextlib.contextmanager
    def reporting(self, *errors: type[Exception], before: str = "", after: str = "", **results: Any) -> Iterator[None]:
        """Fail with the message of these errors, between ``before`` and ``after``."""
        try:
            yield
        except errors as error:
            self.fail_json(msg=f"{before}{error}{after}", **results)

    def warn_of(self, findings: list[Finding]) -> list[str]:
        """Warn of the findings that are no errors; the errors as text."""
        for each in findings:
            if not each.is_error:
                self.warn(str(each))
        return [str(each) for each in findings if each.is_error]

    def refuse(self, findings: Iterable[object]) -> None:
        """Fail with all findings, if there are any."""
        if found := [str(each) for each in findings]:
            self.fail_json(msg="\n".join(found), findings=found)


def difference(name: str, before: str, after: str) -> dict[str, str]:
    """Return one entry of Ansible's diff mode."""
    return {"before_header": name, "after_header": name, "before": before, "after": after}
