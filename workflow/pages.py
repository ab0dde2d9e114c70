"""Make the book's pages from the executed notebooks of a sample sheet, and build them into HTML.

    python workflow/pages.py --runs runs/lab.csv --results results --output _build

The tracked notebooks carry no outputs, so the book is built from a staged copy in ``<output>/source``: the
prose as it is, every chapter as it was last executed, and below "Every run" the stage notebooks of every row
of the sheet with an index of key numbers for each model. Only files whose content changed are rewritten, so
that building again is quick.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import nbformat
import pandas as pd
import yaml

from lingua_utils.hub import progress, training_order
from lingua_utils.runs import sheets

ROOT = Path(__file__).resolve().parent.parent
PROSE = ("_config.yml", "_toc.yml", "book")


@dataclass(frozen=True)
class RunPages:
    """The pages of one row of the sheet: where its executed notebooks are, and what the book calls it."""

    row: dict
    folder: Path

    @property
    def model(self) -> str:
        return self.row["model_id"].removeprefix("lab/")

    @property
    def place(self) -> str:
        """Name of the run in a title: its model and how far it was trained."""
        step = progress(self.row["revision"]).step
        return f"{self.model} at " + (self.row["revision"] if step is None else f"step {step:,}")

    @property
    def page(self) -> PurePosixPath:
        """Folder of the run's pages in the book."""
        return PurePosixPath("runs", *self.folder.parts[-3:])

    @property
    def notebooks(self) -> list[Path]:
        """Executed notebooks of the run's stages; those that failed or were never run are not there."""
        return [
            path
            for name in sheets.notebooks_of(self.row)
            if (path := self.folder / f"{name}.ipynb").is_file()
        ]


def stage(sheet: Path, results: Path, source: Path, root: Path = ROOT) -> list[Path]:
    """Write the book's source tree; return the files that changed.

    Raises
    ------
    FileNotFoundError
        Naming the first chapter that has not been executed, and the command that executes it.
    ValueError
        When a page pastes a value that the notebook does not hold.
    """
    runs = [RunPages(row, sheets.run_of(row, results).folder) for row in sheets.read_sheet(sheet)]
    files: dict[PurePosixPath, bytes] = {}
    for name in PROSE:
        for path in [root / name] if (root / name).is_file() else sorted((root / name).rglob("*")):
            relative = PurePosixPath(path.relative_to(root).as_posix())
            if path.is_file() and "published" not in relative.parts and "__pycache__" not in relative.parts:
                files[relative] = path.read_bytes()
    toc = yaml.safe_load(files[PurePosixPath("_toc.yml")])
    unmeasured = _unmeasured(runs)
    for chapter in (chapter.with_suffix(".ipynb") for chapter in _chapters(toc)):
        if chapter.stem in unmeasured:
            files[chapter] = _unmeasured_page(root / chapter, unmeasured[chapter.stem], sheet)
        else:
            files[chapter] = _executed(chapter.stem, runs, results, sheet).read_bytes()
    for page in [page for page in files if page.suffix == ".md"]:
        files[page] = _without_glue(page, files[page].decode(), unmeasured).encode()
    pages = set(files)
    for run in runs:
        for path in run.notebooks:
            page = run.page / path.name
            files[page] = _run_page(path, run, page, pages)
    part = {"caption": "Every run", "chapters": []}
    for model, of_model in _by_model(runs):
        index = of_model[0].page.parent / "index"
        files[index.with_suffix(".md")] = _model_page(model, of_model).encode()
        sections = [{"file": str(run.page / path.stem)} for run in of_model for path in run.notebooks]
        part["chapters"].append({"file": str(index), **({"sections": sections} if sections else {})})
    toc["parts"].append(part)
    files[PurePosixPath("_toc.yml")] = yaml.safe_dump(toc, sort_keys=False).encode()
    _check_glue(files)
    return _write(files, source)


def _chapters(toc: dict) -> list[PurePosixPath]:
    """Pages of the table of contents that are notebooks."""
    entries = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    return [PurePosixPath(entry) for entry in entries if entry.startswith("notebooks/")]


def _executed(name: str, runs: list[RunPages], results: Path, sheet: Path) -> Path:
    """The executed copy of a chapter: of the last row that goes through it, or run once for the sheet."""
    folders = [run.folder for run in reversed(runs) if name in sheets.notebooks_of(run.row)]
    for folder in [*folders[:1], results / "chapters"]:
        if (folder / f"{name}.ipynb").is_file():
            return folder / f"{name}.ipynb"
    raise FileNotFoundError(
        f"chapter {name} is not among the executed notebooks in {results}; run `make results RUNS={sheet}`"
    )


def _unmeasured(runs: list[RunPages]) -> dict[str, str]:
    """Chapters that a sheet does not ask for, and why not."""
    asked = {name for run in runs for name in sheets.notebooks_of(run.row)}
    missing = {
        name: f"no row has the stage `{stage}`"
        for stage, name in sheets.NOTEBOOKS.items()
        if name not in asked
    }
    if not any(run.row["model_id"].startswith("lab/") for run in runs):
        missing["02_lab"] = "no row has a model of the lab"
    return missing


def _unmeasured_page(path: Path, why: str, sheet: Path) -> bytes:
    """A chapter that was not run: its text and code, under a note that says so."""
    notebook = nbformat.read(path, as_version=4)
    note = (
        f":::{{note}}\nNot measured: in `{sheet.name}`, {why}. Below is the chapter as it would be run.\n:::"
    )
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell(note, id="unmeasured"))
    return nbformat.writes(notebook).encode()


def _without_glue(page: PurePosixPath, text: str, unmeasured: dict[str, str]) -> str:
    """A page with a note in place of what it pastes from chapters that were not run."""

    def noted(match: re.Match) -> str:
        target = _target(page, match[4]) if match[4] else None
        if target is None or target.stem not in unmeasured:
            return match[0]
        return f"{{note}}\nNot measured: {unmeasured[target.stem]}."

    return GLUED.sub(noted, text)


def _run_page(path: Path, run: RunPages, page: PurePosixPath, pages: set[PurePosixPath]) -> bytes:
    """A stage notebook as a page of its own: a title that no other page has, links that still lead there."""
    notebook = nbformat.read(path, as_version=4)
    title = f"# {run.place}: {path.stem.partition('_')[2].replace('_', ' ')}"
    titled = False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            if not titled:
                cell.source, count = re.subn(r"^# .*$", lambda _: title, cell.source, count=1, flags=re.M)
                titled = count == 1
            cell.source = _relink(cell.source, PurePosixPath("notebooks"), page.parent, pages)
    if not titled:
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell(title, id="title"))
    return nbformat.writes(notebook).encode()


def _relink(text: str, old: PurePosixPath, new: PurePosixPath, pages: set[PurePosixPath]) -> str:
    """Rewrite links to pages of the book, relative to one folder, so that they work from another."""

    def moved(match: re.Match) -> str:
        target, anchor = match[1], match[2] or ""
        there = PurePosixPath(os.path.normpath(old / target))
        return f"]({os.path.relpath(there, new)}{anchor})" if there in pages else match[0]

    return re.sub(r"\]\(([^)#\s]+)(#[^)\s]*)?\)", moved, text)


def _by_model(runs: list[RunPages]) -> Iterator[tuple[str, list[RunPages]]]:
    """Runs of each model on each corpus, in the order of the sheet, each sorted by training step."""
    groups: dict[Path, list[RunPages]] = {}
    for run in runs:
        groups.setdefault(run.folder.parent, []).append(run)
    corpora = {folder.parent.name for folder in groups}
    for folder, group in groups.items():
        name = group[0].model if len(corpora) == 1 else f"{group[0].model} on {folder.parent.name}"
        yield name, sorted(group, key=lambda run: training_order(run.row["revision"]))


def _model_page(model: str, runs: list[RunPages]) -> str:
    """Index of a model's runs: a row each, with key numbers read from its tables and links to its pages."""
    lines = [
        f"# {model}: every run",
        "",
        "How do the two scores of this model stand at every revision that was measured?",
        "LRDS and SADS are those of all layers together, with their standard errors; retrieval is the mean "
        "over language pairs at the layer where it is highest.",
        "Definitions are on [the method page](/book/method.md).",
        "",
        "| revision | LRDS | SADS | retrieval | pages |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for run in runs:
        links = " · ".join(
            f"[{path.stem.partition('_')[2]}]({run.folder.name}/{path.name})" for path in run.notebooks
        )
        step = progress(run.row["revision"]).step
        name = run.row["revision"] if step is None else f"step {step:,}"
        lines.append("| " + " | ".join([name, *_key_numbers(run.folder), links or "not run"]) + " |")
    lines += [
        "",
        "## What this does not show",
        "",
        "A row is one training run measured on one sample of sentences; the intervals on its pages hold for "
        "other sentences, not for another training run.",
        "",
    ]
    return "\n".join(lines)


def _key_numbers(folder: Path) -> tuple[str, str, str]:
    """LRDS, SADS and the best layer's retrieval of a run as text; a dash for what is not there."""
    lrds = sads = found = "–"
    if (folder / "similarity.parquet").is_file():
        table = pd.read_parquet(folder / "similarity.parquet")
        rows = table[(table.layer == "all") & ~table.centred & (table.kind == "all")]
        if len(rows):
            row = rows.iloc[0]
            lrds, sads = (f"{row[score]:.3f} ± {row[f'{score}_se']:.3f}" for score in ("lrds", "sads"))
    if (folder / "retrieval.parquet").is_file():
        table = pd.read_parquet(folder / "retrieval.parquet")
        rows = table[table.kind == "all"]
        if len(rows):
            found = f"{rows.groupby('layer').accuracy.mean().max():.2f} (chance {rows.chance.iloc[0]:.2g})"
    return lrds, sads, found


GLUED = re.compile(r"\{glue:?(?:text|any)?\}`([^`:]+)::([^`:]+)|\{glue:?\w*\} (\S+)\n:doc: (\S+)")


def _glued(text: str) -> Iterator[tuple[str, str]]:
    """Pairs of notebook and key that a page pastes."""
    for match in GLUED.finditer(text):
        yield (match[1], match[2]) if match[1] else (match[4], match[3])


def _check_glue(files: dict[PurePosixPath, bytes]) -> None:
    for page, content in files.items():
        if page.suffix != ".md":
            continue
        for target, key in _glued(content.decode()):
            notebook = _target(page, target)
            if f'"name": "{key}"'.encode() not in files.get(notebook, b""):
                raise ValueError(
                    f"{page} pastes {key!r} from {notebook}, which lacks it; add glue({key!r}, ...) there"
                )


def _target(page: PurePosixPath, target: str) -> PurePosixPath:
    """A path in a page, from the source's root with a leading slash and from the page's folder without."""
    path = target.lstrip("/") if target.startswith("/") else page.parent / target
    return PurePosixPath(os.path.normpath(path))


def _write(files: dict[PurePosixPath, bytes], source: Path) -> list[Path]:
    """Bring a folder to these contents: write what differs, remove what is not among them."""
    changed = []
    for relative, content in files.items():
        path = source / relative
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            changed.append(path)
    for path in sorted(source.rglob("*"), reverse=True):
        if path.is_file() and PurePosixPath(path.relative_to(source).as_posix()) not in files:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    # Sphinx reads a page again when the page changes, not when a notebook that it pastes from does.
    for relative, content in files.items():
        if relative.suffix == ".md" and any(
            source / _target(relative, target) in changed for target, _ in _glued(content.decode())
        ):
            os.utime(source / relative)
    return changed


def build(source: Path, output: Path) -> Path:
    """Build staged pages into ``<output>/html``; return its index page.

    Raises
    ------
    ValueError
        When ``output`` is not named ``_build``: Jupyter Book chooses that name.
    RuntimeError
        When the build has warnings or leaves no HTML.
    """
    if output.name != "_build":
        raise ValueError(f"output is {output}; it must end in _build, the name that Jupyter Book writes to")
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(source)]
    options = ["--path-output", str(output.parent), "-W", "-n", "--keep-going", "-q"]
    _remove_stale_pages(source, output / "html")
    index = output / "html" / "index.html"
    done = subprocess.run(command + options, env=os.environ | {"PYTHONPATH": str(ROOT)})
    if done.returncode or not index.is_file():
        # A page is not read twice, so a warning would not come again: forget the pages, not the warning.
        shutil.rmtree(output / ".doctrees", ignore_errors=True)
        raise RuntimeError(f"the book in {source} was not built without warnings; they are printed above")
    return index


def _remove_stale_pages(source: Path, html: Path) -> None:
    """Remove the HTML of run pages that are no longer staged."""
    for page in html.glob("runs/**/*.html"):
        staged = source / page.relative_to(html)
        if not any(staged.with_suffix(suffix).is_file() for suffix in (".ipynb", ".md")):
            page.unlink()


def main() -> int:
    """Command line: a sample sheet, the results of its runs, and where the book goes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, default=Path("runs/lab.csv"), help="sample sheet")
    parser.add_argument("--results", type=Path, default=Path("results"), help="root of the results")
    parser.add_argument("--output", type=Path, default=Path("_build"), help="a folder named _build")
    arguments = parser.parse_args()
    output = arguments.output.absolute()
    try:
        stage(arguments.runs, arguments.results.absolute(), output / "source")
        index = build(output / "source", output)
    except (FileNotFoundError, RuntimeError, ValueError) as error:
        print(f"{Path(__file__).name}: {error}", file=sys.stderr)
        return 1
    print(f"the book is at {index}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
