"""What a table depends on, as a hash: the code that makes it, and whatever that code reads.

The code of a function in a notebook is its own source and that of the notebook's functions it calls; of the
package it is the modules it uses, with all that they import from the package. Comments, docstrings and layout
do not count. What was replaced at run time (a rule that a test or a notebook patched) counts as it is now.
"""

from __future__ import annotations

import ast
import dis
import hashlib
import importlib.util
import inspect
import json
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
import pandas as pd

from lingua_utils import files

PACKAGE = "lingua_utils"
_FOLDER = Path(__file__).resolve().parent.parent


def digest(value: Any) -> str:
    """Short hash of a value that JSON can hold, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Code:
    """A function of a notebook, and what it reads.

    Attributes
    ----------
    own : dict of str to str
        Its source and that of every function it calls that is no part of a package, by name.
    modules : dict of str to str
        Digests of the package's modules that they use.
    values : dict of str to object
        What they read beside: numbers, tables, arrays.
    of_run : set of str
        What they ask of the run, such as ``"activations"``.

    Raises
    ------
    ValueError
        For a function without source, or one that reads what has no fingerprint; the message names both.
    """

    def __init__(self, function: FunctionType, run: Any) -> None:
        self._run = run
        self._name = function.__name__
        self.own: dict[str, str] = {}
        self.modules: dict[str, str] = {}
        self.values: dict[str, Any] = {}
        self.of_run: set[str] = set()
        self._read_function(function)

    @property
    def digest(self) -> str:
        """Of the notebook's code alone: the function and those it calls."""
        return digest(self.own)

    def _read_function(self, function: FunctionType) -> None:
        if function.__qualname__ in self.own:
            return
        tree = _tree(function)
        self.own[function.__qualname__] = ast.unparse(tree)
        known = function.__globals__ | _closure(function)
        runs = {name for name in known if known[name] is self._run}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in runs:
                self.of_run.add(node.attr)
        for name in sorted(_globals_read(function.__code__) | set(_closure(function))):
            if name in known and name not in runs:
                self._read_value(name, known[name])

    def _read_value(self, name: str, value: Any) -> None:
        where = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None) or ""
        if isinstance(value, ModuleType | type) or callable(value):
            if where.partition(".")[0] == PACKAGE:
                self.modules |= module_digests(where)
            elif isinstance(value, FunctionType) and not _is_installed(value):
                self._read_function(value)
            elif isinstance(value, type) and not _is_installed(value):
                self.own[value.__qualname__] = ast.unparse(_tree(value))
            return
        self.values[name] = self._content(name, value)

    def _content(self, name: str, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float | str | bytes | complex | Path):
            return repr(value)
        if isinstance(value, FunctionType | type | ModuleType):
            self._read_value(name, value)
            return f"{getattr(value, '__module__', '')}.{value.__name__}"
        if isinstance(value, Mapping):
            return [[repr(key), self._content(name, inner)] for key, inner in value.items()]
        if isinstance(value, list | tuple):
            return [self._content(name, inner) for inner in value]
        if isinstance(value, set | frozenset):
            return sorted(map(repr, value))
        if isinstance(value, pd.DataFrame | pd.Series):
            return self._run.key_of(value) or table_content(value)
        if isinstance(value, np.ndarray):
            return [str(value.dtype), value.shape, hashlib.sha256(np.ascontiguousarray(value)).hexdigest()]
        if isinstance(fingerprint := getattr(value, "fingerprint", None), str):
            return fingerprint
        raise ValueError(
            f"table {self._name!r} reads {name!r}, a {type(value).__name__}, and a change of it could not be "
            "seen; make it inside the function"
        )


def table_content(table: pd.DataFrame | pd.Series) -> str:
    """Hash of a table's columns and values."""
    frame = table.to_frame() if isinstance(table, pd.Series) else table
    try:
        hashes = pd.util.hash_pandas_object(frame, index=True).to_numpy()
    except TypeError:  # cells that hold lists
        hashes = pd.util.hash_pandas_object(frame.map(repr), index=True).to_numpy()
    columns = [f"{name} {kind}" for name, kind in frame.dtypes.items()]
    return hashlib.sha256(json.dumps(columns).encode() + hashes.tobytes()).hexdigest()[:16]


def module_digests(module: str) -> dict[str, str]:
    """Digest of a module of the package and of every one that it imports, as they are now, by name."""
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found or (path := _path(name)) is None:
            continue
        source, imports, defined, given = _source(path, path.stat().st_mtime_ns)
        # Imported, so that the digest is the same whatever else was imported before.
        patched = list(_patched(importlib.import_module(name), defined, given))
        found[name] = digest([source, patched]) if patched else digest(source)
        waiting += imports
    return found


@cache
def _source(path: Path, _: int) -> tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Bare source; modules imported; names that are defined, and names imported from the package."""
    tree = files.bare(ast.parse(path.read_text(encoding="utf-8")))
    imports, given = [], []
    for node in _imports(tree):
        if isinstance(node, ast.Import):
            imports += [alias.name for alias in node.names]
            continue
        imports.append(node.module)
        imports += [f"{node.module}.{alias.name}" for alias in node.names]
        given += [alias.asname or alias.name for alias in node.names]
    defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return ast.unparse(tree), tuple(imports), tuple(defined), tuple(given)


def _imports(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Imports from the package, but for those that only a type checker makes."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if any(name.partition(".")[0] == PACKAGE for name in names):
            yield node
        else:
            yield from _imports(node)


def _patched(module: ModuleType, defined: tuple[str, ...], given: tuple[str, ...]) -> Iterator[list]:
    """What stands in a module in another form than its source has it, and its constants."""
    for name, value in vars(module).items():
        if isinstance(value, dict) and name.isupper():
            for key, inner in value.items():
                if isinstance(inner, FunctionType):
                    code = [] if _is_packaged(inner) else _instructions(inner.__code__)
                    yield [name, repr(key), inner.__module__, inner.__qualname__, code]
        elif name.isupper() and _is_plain(value):
            yield [name, repr(value)]
        elif name in defined or name in given:
            functions = vars(value).values() if isinstance(value, type) else [value]
            for function in functions:
                if isinstance(function, FunctionType) and not _is_packaged(function):
                    yield [name, _instructions(function.__code__)]
                elif name in defined and not isinstance(value, type | FunctionType) and callable(value):
                    inner = inspect.unwrap(value)
                    if not isinstance(inner, FunctionType) or not _is_packaged(inner):
                        yield [name, repr(type(value))]


def _is_plain(value: Any) -> bool:
    """Whether a value is made of numbers and texts alone, so that it is written the same in every process."""
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _instructions(code: CodeType) -> list:
    constants = [
        _instructions(value) if isinstance(value, CodeType) else repr(value) for value in code.co_consts
    ]
    return [code.co_code.hex(), code.co_names, constants]


def _is_packaged(function: FunctionType) -> bool:
    """Whether a function's code stands in the package, or was made by a decorator such as dataclass."""
    place = function.__code__.co_filename
    return (place.startswith("<") and "ipython" not in place) or Path(place).is_relative_to(_FOLDER)


def _is_installed(value: Any) -> bool:
    """Whether a function or class is part of Python or of an installed library, not of a notebook."""
    if isinstance(value, FunctionType):
        place = value.__code__.co_filename
    else:
        place = getattr(sys.modules.get(getattr(value, "__module__", "")), "__file__", None) or ""
        if not place and getattr(value, "__module__", "") != "__main__":
            return True  # a class of an extension module
    library = Path(json.__file__).parents[1]
    return place.startswith("<frozen") or "site-packages" in place or Path(place).is_relative_to(library)


def _path(module: str) -> Path | None:
    if module.partition(".")[0] != PACKAGE:
        return None
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, AttributeError):
        return None
    if spec is None or spec.origin is None or Path(spec.origin).name == "__init__.py":
        return None
    return Path(spec.origin)


def _tree(function: Callable) -> ast.AST:
    """A function or class without decorators, comments and docstrings."""
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):
        # Python looks for a class in the file of its module, and a notebook's module has none.
        place = "a file" if isinstance(function, type) else "a cell or a file"
        raise ValueError(
            f"the source of {function.__name__!r} cannot be read, so a change of it could not be seen; "
            f"define it in {place}"
        ) from None
    tree = files.bare(ast.parse(textwrap.dedent(source)))
    node = tree.body[0]
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        node.decorator_list = []
    return node


def _globals_read(code: CodeType) -> set[str]:
    """Names of globals that a code reads, that of functions inside it too."""
    names = {
        instruction.argval
        for instruction in dis.get_instructions(code)
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _globals_read(constant)
    return names


def _closure(function: FunctionType) -> dict[str, Any]:
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return {name: cell.cell_contents for name, cell in cells}
