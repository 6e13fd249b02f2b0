# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Packages of module_utils import each other as docs/architecture.md lists; its picture is drawn from its source."""

import ast
import graphlib
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from repository import ROOT

PACKAGES = ROOT / "plugins/module_utils"
PREFIX = ("ansible_collections", "opendata", "platform", "plugins", "module_utils")
Graph = dict[str, set[str]]


def imported(path: Path, top: Path = PACKAGES) -> Iterator[tuple[str, ...]]:
    """Each import of a file from within `top`, as a path of names below it."""
    here = path.relative_to(top).parts[:-1]
    for statement in ast.walk(ast.parse(path.read_text())):
        if isinstance(statement, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            module = tuple(statement.module.split(".")) if statement.module else ()
            if statement.level:
                assert statement.level <= len(here) + 1, f"{path}: imports from above module_utils"
                module = PREFIX + here[: len(here) + 1 - statement.level] + module
            names = [(*module, alias.name) for alias in statement.names]
        else:
            continue
        yield from (name[len(PREFIX) :] for name in names if name[: len(PREFIX)] == PREFIX)


def files(top: Path = PACKAGES) -> Graph:
    """The files that each file imports, by their paths without suffix."""
    graph: Graph = {}
    for path in sorted(top.rglob("*.py")):
        found = graph.setdefault(path.relative_to(top).with_suffix("").as_posix(), set())
        for names in imported(path, top):
            # Past the file come the names in it.
            for length in range(len(names), 0, -1):
                if top.joinpath(*names[:length]).with_suffix(".py").is_file():
                    found.add("/".join(names[:length]))
                    break
            else:
                assert top.joinpath(*names).is_dir(), f"{path}: imports {'.'.join(names)}, which does not exist"
                found.add("/".join((*names, "__init__")))
    return graph


def packages(graph: Graph) -> Graph:
    """The same between packages; a file beside the packages counts as one."""
    result: Graph = {}
    for path, targets in graph.items():
        package = path.split("/")[0]
        result.setdefault(package, set()).update({target.split("/")[0] for target in targets} - {package})
    return result


def allowed() -> Graph:
    """What docs/architecture.md lists."""
    section = (ROOT / "docs/architecture.md").read_text().split("\n## Packages\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]*)\|$", section, re.MULTILINE)
    return {package: set(re.findall(r"`(\w+)`", imports)) for package, imports in rows}


def refuse_cycles(graph: Graph) -> None:
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"imports in a circle: {' <- '.join(error.args[1])}")


def test_packages_import_what_the_page_lists_and_nothing_else() -> None:
    found = packages(files())
    found.pop("__init__")
    assert found == allowed()


def test_packages_and_files_import_in_no_circle() -> None:
    refuse_cycles(packages(files()))
    refuse_cycles(files())


def test_every_way_to_import_is_seen(tmp_path: Path) -> None:
    statements = {
        "one/a.py": "from ..two import b\n",
        "one/b.py": "from ..two.b import name\n",
        "one/c.py": "def later():\n    import ansible_collections.opendata.platform.plugins.module_utils.two.c\n",
        "one/d.py": "from ansible_collections.opendata.platform.plugins.module_utils.two.d import name\n",
        "one/e.py": "from .. import two\n",
        "one/f.py": "from ansible.module_utils.basic import AnsibleModule\nfrom . import a\nfrom .a import name\n",
        **{f"two/{letter}.py": "" for letter in "bcd"},
    }
    for name, text in statements.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    graph = files(tmp_path)
    assert [graph[f"one/{letter}"] for letter in "abcdef"] == [
        {"two/b"},
        {"two/b"},
        {"two/c"},
        {"two/d"},
        {"two/__init__"},
        {"one/a"},
    ]
    assert packages(graph) == {"one": {"two"}, "two": set()}
    (tmp_path / "two/b.py").write_text("from ..one import a\n")
    with pytest.raises(pytest.fail.Exception, match=r"imports in a circle: (one <- two|two <- one)"):
        refuse_cycles(packages(files(tmp_path)))


def test_the_picture_is_drawn_from_its_source() -> None:
    path = ROOT / "docs/architecture_picture.py"
    specification = importlib.util.spec_from_file_location("architecture_picture", path)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    drawn = module.draw(yaml.safe_load(module.SOURCE.read_text()))
    assert module.PICTURE.read_text() == drawn, "python docs/architecture_picture.py draws it"
