"""The house: five rooms on a ground, and imports that go one way."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "lingua_utils"
MODULES = sorted(PACKAGE.rglob("*.py"))
FLOORS = {"ground": 0, "text": 1, "models": 2, "measure": 3, "runs": 4}
GROUND = {"files", "hub"}


def room_of(module: str) -> str:
    """The room of a module of the package, by its dotted name without the package's."""
    first = module.partition(".")[0]
    return "ground" if first in GROUND or not first else first


def imports(path: Path) -> set[str]:
    """Modules of the package that a file imports, without the package's name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        relative = isinstance(node, ast.ImportFrom) and node.level
        assert not relative, f"{path.name}, line {node.lineno}: import from lingua_utils, by its whole name"
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "lingua_utils":
            inner = node.module.removeprefix("lingua_utils").removeprefix(".")
            found |= {f"{inner}.{alias.name}".removeprefix(".") for alias in node.names}
        elif isinstance(node, ast.Import):
            names = (alias.name for alias in node.names)
            found |= {
                name.removeprefix("lingua_utils.") for name in names if name.startswith("lingua_utils.")
            }
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_room_imports_only_from_those_it_is_built_on(path):
    own = room_of(".".join(path.relative_to(PACKAGE).with_suffix("").parts))
    for module in imports(path):
        room = room_of(module)
        if own == "charts":
            through_theme = path.name == "theme.py" and module.startswith("text.languages")
            assert room == "charts" or through_theme, module
        elif own in FLOORS and room in FLOORS:
            assert FLOORS[room] <= FLOORS[own], module
        else:
            assert own not in FLOORS or room not in ("charts", *FLOORS), module


def test_every_module_is_in_a_room():
    rooms = {path.relative_to(PACKAGE).parts[0] for path in MODULES}
    assert rooms == {"__init__.py", "files.py", "hub.py", "text", "models", "measure", "runs", "charts"}


@pytest.mark.parametrize("name", ["sched_getaffinity", "fcntl", "os.fork(", "import resource"])
def test_nothing_is_called_that_other_systems_lack(name):
    for path in [*MODULES, *(ROOT / "workflow").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")]:
        assert name not in path.read_text(encoding="utf-8"), path


def test_the_makefile_uses_nothing_newer_than_make_3_81():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert not re.search(r"\.ONESHELL|\$\(file |&:|^[A-Z]+ *!=|\$\(intcmp|\$\(let ", text, flags=re.M)
