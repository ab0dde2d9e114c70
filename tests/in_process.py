"""Notebooks run in the test's own process: the same cells, without a kernel to start."""

import linecache
from itertools import count
from pathlib import Path

import jupytext

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
_numbers = count()


def run_notebook(source, edit=lambda text: text, **parameters) -> dict:
    """Names that a notebook leaves behind.

    Parameters
    ----------
    source : str or Path
        Its name, or the path of its script.
    edit : callable
        What a reader changes in the source of a cell.
    **parameters
        As papermill gives them: after the cell of parameters.
    """
    path = source if isinstance(source, Path) else NOTEBOOKS / f"{source}.py"
    names = {"__name__": "__main__"}
    for cell in jupytext.read(path).cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and "remove-cell" not in tags:
            run_cell(edit(cell.source), names)
            if "parameters" in tags:
                names.update(parameters)
    return names


def run_cell(text: str, names: dict) -> None:
    """Run the source of one cell among the names that earlier cells left."""
    # Where a function's source is looked up: in a notebook, IPython does the same.
    place = f"<ipython-cell-{next(_numbers)}>"
    linecache.cache[place] = (len(text), None, text.splitlines(keepends=True), place)
    exec(compile(text, place, "exec"), names)
