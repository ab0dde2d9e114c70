"""The study on invented languages: its design, and a command that runs every cell of it.

    python -m lingua_utils.runs.controlled --processes 2

Each cell leaves a folder with its tables, whole or not at all, so that a study that was stopped goes on with
the cells that are missing. ``--to book/published`` collects the tables of all cells.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from itertools import product
from pathlib import Path

import pandas as pd
import torch
from tqdm.auto import tqdm

from lingua_utils import files
from lingua_utils.measure import controlled
from lingua_utils.measure.controlled import Cell
from lingua_utils.runs.run import versions
from lingua_utils.text.invented import Invented

SHEET = "runs/controlled.csv"
FOLDER = "results/controlled"
TABLES = ("outcomes", "layers", "overlaps")
MANIFEST, RECORDS = "manifest.json", "cells.json"

FACTORS = {
    "overlap": (0.0, 0.3),
    "script": ("disjoint", "same"),
    "order": ("SVO", "SVO/SOVn"),
    "bilingual": (0.0, 0.2),
    "capacity": (32, 64),
}
"""The two levels of each factor: low, high. The last one's sign is the product of the others' (E = ABCD)."""

DOSES = {"overlap": (0.1, 0.2, 0.4, 0.8), "switched": (0.05, 0.1, 0.2, 0.4)}
"""Beside none: that is the control with nothing in common."""
SHARES = (0.5, 0.65, 0.8, 0.9, 0.95)
HUMP = {
    "homographs": "homographs=0.5",
    "roles": "roles=case",
    "agreement": "morphology=agglutinating,agreement=1",
    "paraphrase": "paraphrase=1",
    "embedding": "embedding=1",
}
"""What may move the sharing of meaning to the middle layers, each as dials."""


def design() -> list[Cell]:
    """Every cell of the study, in the order of the sheet."""
    return [*_factorial(), *_controls(), *_doses(), *_imbalance(), *_hump(), *_crossed()]


def coded() -> pd.DataFrame:
    """The fraction 2^(5−1) of resolution V in −1 and 1: a row for each of 16 combinations, by cell."""
    rows = [
        dict(zip(FACTORS, (*signs, signs[0] * signs[1] * signs[2] * signs[3]), strict=True))
        for signs in product((-1, 1), repeat=len(FACTORS) - 1)
    ]
    return pd.DataFrame(rows, index=pd.Index([f"{i:02d}" for i in range(len(rows))], name="cell"))


def _factorial() -> Iterator[Cell]:
    # Three replicates: with two, an effect of one standard deviation is found in three studies of four.
    for seed in range(3):
        for name, signs in coded().iterrows():
            level = {factor: FACTORS[factor][(sign + 1) // 2] for factor, sign in signs.items()}
            size = level.pop("capacity")
            yield Cell("factorial", name, seed, Invented(**level, switched=0.05).spec, hidden_size=size)


def _controls() -> Iterator[Cell]:
    met = "invented:bilingual=0.3"
    specs = {
        "nothing in common": "invented",
        "unrelated": "invented:topics=different",
        "clone": "invented:script=clone",
        "clone, switched": "invented:script=clone,switched=0.3",
        "identical": "invented:overlap=1,script=same",
        "bilingual": met,
        "bilingual, mispaired": f"{met},second=mispaired",
        "bilingual, apart": f"{met},second=apart",
        "switched": "invented:switched=0.3",
        "switched, mispaired": "invented:switched=0.3,second=mispaired",
    }
    for seed in range(3):
        for name, spec in specs.items():
            yield Cell("controls", name, seed, spec)


def _doses() -> Iterator[Cell]:
    for dial, doses in DOSES.items():
        for seed in range(3):
            for dose in doses:
                yield Cell("doses", f"{dial} {dose:g}", seed, Invented(**{dial: dose}).spec)


def _imbalance() -> Iterator[Cell]:
    for seed in range(3):
        for share in SHARES:
            yield Cell("imbalance", f"{share:.0%}", seed, Invented(share=share, switched=0.05).spec)


def _hump() -> Iterator[Cell]:
    plain = "invented:switched=0.2"
    specs = {"none": f"{plain},roles=class"}
    specs |= {name: f"{plain},{'' if name == 'roles' else 'roles=class,'}{on}" for name, on in HUMP.items()}
    specs["all"] = ",".join([plain, *HUMP.values()])
    for seed in range(3):
        for name, spec in specs.items():
            yield Cell("hump", name, seed, spec, n_layers=6)


def _crossed() -> Iterator[Cell]:
    for seed in range(3):
        yield Cell("crossed", "two sets of words in two scripts", seed, "invented:languages=4,script=crossed")


def write_sheet(cells: Sequence[Cell], path: str | Path = SHEET) -> None:
    """A sheet with a row for each cell."""
    pd.DataFrame(map(asdict, cells)).to_csv(files.resolve(path), index=False)


def read_sheet(path: str | Path = SHEET) -> list[Cell]:
    """The cells of a sheet, checked.

    Raises
    ------
    ValueError
        For a column that a cell has not, dials that cannot be, or two rows of one cell; with the row.
    """
    table = pd.read_csv(files.find(path), comment="#", dtype={"cell": str, "study": str})
    known = [field.name for field in fields(Cell)]
    if unknown := sorted(set(table.columns) - set(known)):
        raise ValueError(f"{path}: unknown column {unknown[0]!r}; the columns are {', '.join(known)}")
    cells: list[Cell] = []
    for number, row in enumerate(table.to_dict("records"), start=1):
        cell = Cell(**row)
        try:
            Invented.read(cell.spec)
        except ValueError as error:
            raise ValueError(f"{path}, row {number}: {error}") from None
        if folder_of(cell) in map(folder_of, cells):
            raise ValueError(f"{path}, row {number} is the cell of an earlier row; remove one")
        cells.append(cell)
    return cells


def folder_of(cell: Cell) -> str:
    """Name of the folder of a cell, below that of the study."""
    name = "".join(letter if letter.isalnum() or letter in ".%" else "_" for letter in cell.cell)
    return f"{cell.study}/{name}+seed={cell.seed}"


def is_done(cell: Cell, results: Path) -> bool:
    """Whether a cell was run by the code of today."""
    manifest = results / folder_of(cell) / MANIFEST
    return manifest.is_file() and json.loads(manifest.read_text())["digest"] == cell.digest


def run_cell(cell: Cell, results: Path, device: str) -> Path:
    """Train and measure a cell, and write its tables and its manifest; a finished one is returned at once."""
    folder = results / folder_of(cell)
    if not is_done(cell, results):
        start = time.perf_counter()
        tables = controlled.run(cell, device)
        with files.writing(folder, folder=True) as temporary:
            for name, table in tables.items():
                table.to_parquet(temporary / f"{name}.parquet", index=False)
            name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
            record = {
                "digest": cell.digest,
                **asdict(cell),
                "seconds": round(time.perf_counter() - start, 1),
                "device": name,
                "threads": torch.get_num_threads(),
                "versions": versions(),
            }
            (temporary / MANIFEST).write_text(json.dumps(record, indent=2) + "\n")
    return folder


def run_study(cells: Sequence[Cell], results: Path, processes: int = 1, device: str = "cpu") -> list[str]:
    """Run the cells that are missing, so many at a time; returns what went wrong, a line for each cell.

    Each process has one thread, so that a cell does not depend on how many there are.
    """
    missing = [cell for cell in cells if not is_done(cell, results)]
    # The longest first, so that no process is left alone with one at the end.
    missing.sort(key=lambda cell: -cell.hidden_size * cell.n_layers * cell.steps)
    tasks = [(cell, results, device) for cell in missing]
    context = multiprocessing.get_context("spawn")
    failed = []
    with context.Pool(min(processes, max(len(tasks), 1)), _one_thread) as pool:
        for wrong in tqdm(pool.imap_unordered(_attempt, tasks), total=len(tasks), unit="cell"):
            if wrong:
                failed.append(wrong)
                print(wrong, flush=True)
    return failed


def _one_thread() -> None:
    torch.set_num_threads(1)
    os.environ |= {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}


def _attempt(task: tuple[Cell, Path, str]) -> str:
    cell, *_ = task
    try:
        run_cell(*task)
    except Exception as error:  # one that fails stops no other; the next call tries it again
        return f"{folder_of(cell)}: {type(error).__name__}: {error}"
    return ""


def collect(cells: Sequence[Cell], results: Path, to: Path) -> Path:
    """Write the tables of all cells as one file each, and their manifests, into ``to/controlled``.

    Raises
    ------
    ValueError
        When cells are missing; the message says how many, and names the first.
    """
    if missing := [cell for cell in cells if not is_done(cell, results)]:
        raise ValueError(
            f"{len(missing)} of {len(cells)} cells are missing, first {folder_of(missing[0])}: run them"
        )
    with files.writing(to / "controlled", folder=True) as temporary:
        for name in TABLES:
            parts = [pd.read_parquet(results / folder_of(cell) / f"{name}.parquet") for cell in cells]
            whole = pd.concat(parts, ignore_index=True)
            shorter = whole.select_dtypes("float64").columns
            whole.astype(dict.fromkeys(shorter, "float32")).to_parquet(
                temporary / f"{name}.parquet", index=False, compression="zstd"
            )
        records = [json.loads((results / folder_of(cell) / MANIFEST).read_text()) for cell in cells]
        text = ",\n".join(map(json.dumps, records))
        (temporary / RECORDS).write_text(f"[\n{text}\n]\n")
    return to / "controlled"


def published(folder: str | Path = "book/published") -> Path:
    """Where the tables of all cells are.

    Raises
    ------
    FileNotFoundError
        Where they are not; says how to make them.
    """
    found = files.find(Path(folder) / "controlled")
    if not (found / RECORDS).is_file():
        raise FileNotFoundError(
            f"no tables of the study in {found}: `make study` runs it, in an hour and a half"
        )
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study, or collect what was run."""
    parser = argparse.ArgumentParser(
        prog="python -m lingua_utils.runs.controlled", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--sheet", default=SHEET)
    parser.add_argument("--results", default=FOLDER)
    parser.add_argument("--processes", type=int, default=max(1, (os.cpu_count() or 2) // 2))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--to", help="collect the tables of all cells below this folder, and run nothing")
    given = parser.parse_args(arguments)
    cells, results = read_sheet(given.sheet), files.resolve(given.results)
    if given.to:
        print(collect(cells, results, files.resolve(given.to)))
        return 0
    return bool(run_study(cells, results, given.processes, given.device))


if __name__ == "__main__":
    raise SystemExit(main())
