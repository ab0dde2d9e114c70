"""Sample sheets: a table of runs, one row a run, checked whole before any of them starts."""

import csv
from collections.abc import Callable
from pathlib import Path

from lingua_utils import files
from lingua_utils.runs.run import Run

# Columns of a sample sheet: the parameters of a row, each with its default and how it is read.
COLUMNS: dict[str, tuple[object, Callable[[str], object]]] = {
    "model_id": (None, str),
    "revision": ("main", str),
    "corpus": ("world", str),
    "languages": ("default", str),
    "n_sentences": (0, int),
    "digits": ("", str),
    "pooling": ("mean", str),
    "dtype": ("auto", str),
    "device": ("", str),
    "task": ("cloze", str),
    "seed": (0, int),
    "stages": ("activations similarity", str),
}

# The notebook that runs each stage, in the order of the pipeline.
NOTEBOOKS = {
    "activations": "03_activations",
    "similarity": "04_similarity",
    "regions": "05_regions",
    "ablation": "06_ablation",
    "accuracy": "07_tasks",
    "tasks": "07_tasks",
}


def read_sheet(path: str | Path) -> list[dict]:
    """Rows of a sample sheet, validated: one row a run.

    Parameters
    ----------
    path : str or Path
        CSV with a header. ``model_id`` is required; every other column of :data:`COLUMNS` has a default.
        ``stages`` holds the names of stages, separated by spaces. Lines that begin with ``#`` are comments.

    Raises
    ------
    FileNotFoundError, ValueError
        With the file, the row and what is wrong with it, before any row is run.
    """
    path = files.find(path)
    if not path.is_file():
        sheets = ", ".join(sorted(sheet.name for sheet in path.parent.glob("*.csv"))) or "none"
        raise FileNotFoundError(f"no sample sheet {path}; sheets there: {sheets}")
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(line for line in lines if line.strip() and not line.startswith("#"))
        columns = reader.fieldnames or []
        unknown = sorted(set(columns) - set(COLUMNS))
        if "model_id" not in columns or unknown:
            wrong = f"unknown column {unknown[0]!r}" if unknown else "no column 'model_id'"
            raise ValueError(f"{path.name}: {wrong}; the columns are {', '.join(COLUMNS)}")
        rows = [_read_row(f"{path.name}, row {number}", row) for number, row in enumerate(reader, start=1)]
    if not rows:
        raise ValueError(f"{path.name} has no rows; add one, beginning with a model_id")
    folders = [str(run_of(row).folder) for row in rows]
    repeated = next((number for number, folder in enumerate(folders) if folder in folders[:number]), None)
    if repeated is not None:
        raise ValueError(
            f"{path.name}, row {repeated + 1} writes to the same folder as an earlier row; remove one"
        )
    return rows


def _read_row(where: str, row: dict) -> dict:
    read = {}
    for column, (default, kind) in COLUMNS.items():
        text = (row.get(column) or "").strip()
        try:
            read[column] = kind(text) if text else default
        except ValueError:
            raise ValueError(f"{where}: {column} is {text!r}, which is not a number") from None
    if not read["model_id"] or None in row:
        wrong = "more cells than the header" if None in row else "model_id is empty"
        raise ValueError(f"{where}: {wrong}")
    stages = read["stages"].split()
    unknown = [stage for stage in stages if stage not in NOTEBOOKS]
    if unknown or not stages:
        raise ValueError(f"{where}: unknown stage {' '.join(unknown)!r}; there are {', '.join(NOTEBOOKS)}")
    read["stages"] = " ".join(stage for stage in NOTEBOOKS if stage in stages)
    try:
        run_of(read)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    return read


def notebooks_of(row: dict) -> list[str]:
    """Names of the notebooks that a row goes through, in the order of the pipeline."""
    return list(dict.fromkeys(NOTEBOOKS[stage] for stage in row["stages"].split()))


def run_of(row: dict, results: str | Path = "results") -> Run:
    """The run that a row of a sample sheet describes."""
    return Run(**{name: value for name, value in row.items() if name != "stages"}, results=results)
