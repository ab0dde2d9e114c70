"""Sample sheets, one row for each run, and the table of stages that a row can ask for.

A sheet is checked whole before any of its runs starts.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from lingua_utils import files
from lingua_utils.runs.run import Run
from lingua_utils.runs.settings import RunSettings, from_texts

COLUMNS = (*(setting.name for setting in fields(RunSettings)), "stages")
DEFAULT_STAGES = "activations similarity"


@dataclass(frozen=True)
class Stage:
    """One step of the analysis: a notebook, or a part of one.

    Attributes
    ----------
    name, notebook : str
    per : {"run", "sheet"}
        Whether it is done for each run that asks for it, or once for all runs of a sheet.
    reads, costs : str
        As the head of the notebook says it.
    writes, published : tuple of str
        Its tables, and those of them that are small enough to be kept under version control.
    beside : str
        What it writes beside tables, in words.
    """

    name: str
    notebook: str
    per: str
    reads: str
    writes: tuple[str, ...]
    published: tuple[str, ...]
    beside: str
    costs: str


def _read_stages() -> tuple[Stage, ...]:
    with (Path(__file__).parent / "stages.csv").open(encoding="utf-8", newline="") as lines:
        return tuple(
            Stage(row["stage"], row["notebook"], row["per"], row["reads"], tuple(row["writes"].split()),
                  tuple(row["published"].split()), row["beside"], row["costs"])
            for row in csv.DictReader(lines)
        )  # fmt: skip


STAGES = _read_stages()
"""The table of stages: ``stages.csv``, from which jobs, sheets, collation and the notebooks' heads follow."""

OF_RUNS = tuple(stage.name for stage in STAGES if stage.per == "run")


@dataclass(frozen=True)
class Row:
    """A row of a sample sheet: the settings of a run, and the stages that it goes through."""

    settings: RunSettings
    stages: tuple[str, ...]

    def run(self, results: str | Path = "results") -> Run:
        """The run that the row describes."""
        return Run.of(self.settings, results)

    @property
    def notebooks(self) -> list[str]:
        """Names of the notebooks that the row goes through, in the order of the pipeline."""
        return notebooks(self.stages)


def notebooks(stages: Iterable[str]) -> list[str]:
    """Notebooks of some stages, each once, in the order of the pipeline."""
    asked = set(stages)
    return list(dict.fromkeys(stage.notebook for stage in STAGES if stage.name in asked))


def head_of(notebook: str, stages: Sequence[Stage] = STAGES) -> str:
    """What a notebook reads, writes and costs, as the Markdown table at its head."""
    parts = [stage for stage in stages if stage.notebook == notebook]

    def said(what: str) -> str:
        return "; ".join(dict.fromkeys(getattr(part, what) for part in parts if getattr(part, what)))

    tables = ", ".join(f"`{table}`" for part in parts for table in part.writes)
    writes = "; ".join(filter(None, (tables, said("beside"))))
    rows = (("Reads", said("reads")), ("Writes", writes), ("Costs", said("costs")))
    return "\n".join(["| | |", "|---|---|", *(f"| **{what}** | {text} |" for what, text in rows)])


def stage_of(table: str) -> Stage:
    """The stage that writes a table.

    Raises
    ------
    ValueError
        For a table that no stage writes; the message lists those that there are.
    """
    for stage in STAGES:
        if table in stage.writes:
            return stage
    written = ", ".join(name for stage in STAGES for name in stage.writes)
    raise ValueError(f"no stage writes a table {table!r}; there are {written}")


def read_sheet(path: str | Path) -> list[Row]:
    """Rows of a sample sheet, validated.

    Parameters
    ----------
    path : str or Path
        CSV with a header. ``model_id`` is required; every other setting of a run has its default. ``stages``
        holds names of stages, separated by spaces. Lines that begin with ``#`` are comments.

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
    _check_apart(path.name, rows)
    return rows


def _read_row(where: str, row: dict) -> Row:
    if None in row:
        raise ValueError(f"{where}: more cells than the header")
    try:
        settings = from_texts(row)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    asked = ((row.get("stages") or "").strip() or DEFAULT_STAGES).split()
    if unknown := [stage for stage in asked if stage not in OF_RUNS]:
        raise ValueError(f"{where}: unknown stage {unknown[0]!r}; there are {', '.join(OF_RUNS)}")
    return Row(settings, tuple(stage for stage in OF_RUNS if stage in asked))


def _check_apart(name: str, rows: Sequence[Row]) -> None:
    folders = [row.settings.folder for row in rows]
    repeated = next((number for number, folder in enumerate(folders) if folder in folders[:number]), None)
    if repeated is not None:
        raise ValueError(
            f"{name}, row {repeated + 1} writes to the same folder as an earlier row; remove one"
        )
