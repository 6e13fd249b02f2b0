# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Look at a container engine before kind clusters are made."""

from __future__ import annotations

from ..container_engine import output as pure
from ..container_engine.cli import Engine, EngineError, port_busy
from . import config as kind_config
from .cli import Kind
from .preflight import Seen, Wanted


def look(wanted: Wanted, network: str) -> Seen:
    """What the engine is like; nothing is pulled or changed."""
    engine = Engine(wanted.engine)
    installed = [each for each in pure.ENGINES if Engine(each).installed()]
    if wanted.engine not in installed:
        return Seen(installed=installed)
    try:
        memory = pure.memory(engine.info())
        found = {name: Kind(engine, name, network).look() for name in wanted.images}
        states = {name: kind_config.state(each, network) for name, each in found.items()}
        due = [name for name, state in states.items() if state == kind_config.ABSENT]
        return Seen(
            installed=installed,
            memory=memory,
            foreign={name: found[name] for name, state in states.items() if state == kind_config.FOREIGN},
            made=[name for name, state in states.items() if state not in (kind_config.ABSENT, kind_config.FOREIGN)],
            busy=_busy(engine, {port for name in due for port in wanted.ports[name].values() if port}),
            refused={image: _refusal(engine, image) for image in {wanted.images[name] for name in due}},
        )
    except (EngineError, ValueError) as error:
        return Seen(installed=installed, refusal=str(error).splitlines()[-1])


def _busy(engine: Engine, ports: set[int]) -> dict[int, str]:
    taken = pure.published(engine.containers("status=running"))
    return {port: taken.get(port, "") for port in sorted(ports) if port in taken or port_busy(port)}


def _refusal(engine: Engine, image: str) -> str:
    return "" if engine.has_image(image) else engine.manifest_refusal(image)
