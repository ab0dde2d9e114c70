"""Make the book's pages from the executed notebooks of a sample sheet, and build them into HTML.

    python workflow/pages.py --runs runs/lab.csv --results results --output _build

The tracked notebooks carry no outputs, so the book is built from a staged copy in ``<output>/source``: the
prose as it is, every chapter as it was last executed, and below "Every run" the notebooks of every row of the
sheet, with an index of key numbers for each model. What failed is listed with its error, and the book is made
all the same. Only files whose content changed are rewritten, so that building again is quick.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import nbformat
import pandas as pd
import yaml

from lingua_utils.hub import UNTRAINED, progress, training_order
from lingua_utils.runs import sheets

ROOT = Path(__file__).resolve().parent.parent
PROSE = ("_config.yml", "_toc.yml", "book")
PASTED = re.compile(r"```\{glue\} (\S+)\n:doc: (\S+)\n```|\{glue:text\}`([^`:]+)::([^`:]+)[^`]*`")
OWN = re.compile(r"```\{glue\} (\S+)\n```")
MODEL_PAGE = """# {model}: every run

How do the two scores of this model stand at every revision that was measured?
LRDS and SADS are standardised, of all layers together, with their standard errors.
Retrieval is the mean over language pairs, at the layer where it is highest.
Definitions are on [the method page](/book/method.md).

| revision | LRDS | SADS | retrieval | pages |
| --- | ---: | ---: | ---: | --- |
{rows}

## What this does not show

A row is one training run measured on one sample of sentences.
The intervals on its pages hold for other sentences, not for another training run.
"""


@dataclass(frozen=True)
class RunPages:
    """The pages of one row of the sheet: where its executed notebooks are, and what the book calls it."""

    row: sheets.Row
    folder: Path

    @property
    def model(self) -> str:
        return self.row.settings.model_id.removeprefix("lab/")

    @property
    def revision(self) -> str:
        """How far the model was trained, and what else the row asks for that is not at its default."""
        name = self.row.settings.revision
        step = progress(name).step
        _, *changed = self.row.settings.folder.name.split("+")
        return ", ".join([name if name == UNTRAINED or step is None else f"step {step:,}", *changed])

    @property
    def page(self) -> PurePosixPath:
        """Folder of the run's pages in the book."""
        return PurePosixPath("runs", *map(slug, self.row.settings.folder.parts))

    @property
    def notebooks(self) -> list[Path]:
        """Executed notebooks of the run's stages, those that failed too."""
        paths = [self.folder / f"{name}.ipynb" for name in self.row.notebooks]
        return [path for path in paths if path.is_file()]

    @property
    def error(self) -> str | None:
        """Why the run is not finished; None where it is."""
        if (self.folder / "finished").is_file():
            return None
        told = next(filter(None, map(error_in, self.notebooks)), None)
        log = self.folder / "log.txt"
        lines = log.read_text(encoding="utf-8").split("\n") if log.is_file() else []
        return told or next((line for line in reversed(lines) if line.strip()), "it was not run")


def error_in(path: Path) -> str | None:
    """The error that an executed notebook ended with, in one line; None where there is none."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                return f"{path.stem}: {output.ename}: {output.evalue}".partition("\n")[0]
    # `execute.py` takes papermill's marks away when a notebook has come to its end.
    return f"{path.stem}: stopped before its end" if "papermill" in notebook.metadata else None


def slug(name: str) -> str:
    """A name as a part of an address: other characters become dashes, and a hash keeps names apart."""
    plain = re.sub(r"[^\w.-]", "-", name, flags=re.ASCII)
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def stage(sheet: Path, results: Path, source: Path, root: Path = ROOT) -> tuple[list[Path], list[str]]:
    """Write the book's source tree; return the files that changed, and a line for everything that failed.

    Raises
    ------
    ValueError
        When a page pastes a value that the notebook does not hold.
    """
    runs = [RunPages(row, row.run(results).folder) for row in sheets.read_sheet(sheet)]
    paths = [path for name in PROSE for path in (root / name, *(root / name).rglob("*")) if path.is_file()]
    files = {PurePosixPath(path.relative_to(root).as_posix()): path.read_bytes() for path in paths}
    files = {at: data for at, data in files.items() if not {"published", "__pycache__"} & set(at.parts)}
    toc = yaml.safe_load(files[PurePosixPath("_toc.yml")])
    entries = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    missing: dict[PurePosixPath, str] = {}
    for chapter in (PurePosixPath(f"{entry}.ipynb") for entry in entries if entry.startswith("notebooks/")):
        found = _executed(chapter.stem, runs, results, sheet)
        if isinstance(found, str):
            missing[chapter] = found
        files[chapter] = _answered(found) if isinstance(found, Path) else _as_text(root / chapter, found)
    pastes = {}
    for page in [page for page in files if page.suffix == ".md"]:
        text = files[page].decode()
        pastes[page] = {_target(page, match[2] or match[3]) for match in PASTED.finditer(text)}
        files[page] = PASTED.sub(lambda match, page=page: _paste(match, page, files, missing), text).encode()
    pages, chapters = set(files), []
    for model, of_model in _by_model(runs):
        index = of_model[0].page.parent / "index"
        files[index.with_suffix(".md")] = _model_page(model, of_model).encode()
        copies = {run.page / path.name: (path, run) for run in of_model for path in run.notebooks}
        files |= {page: _run_page(*copy, page, pages) for page, copy in copies.items()}
        sections = [{"file": str(page.with_suffix(""))} for page in copies]
        chapters.append({"file": str(index), **({"sections": sections} if sections else {})})
    toc["parts"].append({"caption": "Every run", "chapters": chapters})
    files[PurePosixPath("_toc.yml")] = yaml.safe_dump(toc, sort_keys=False).encode()
    failed = [f"{run.row.settings.folder}: {run.error}" for run in runs if run.error]
    failed += [f"chapter {at.stem}: {why}" for at, why in missing.items() if why.startswith("not run")]
    return _write(files, pastes, source), failed


def _executed(name: str, runs: list[RunPages], results: Path, sheet: Path) -> Path | str:
    """The executed copy of a chapter, of the last row that went through it or for the sheet; else why not."""
    stage = next(stage for stage in sheets.STAGES if stage.notebook == name)
    asking = [run.folder for run in reversed(runs) if name in run.row.notebooks]
    if stage.per == "run" and not asking:
        return f"in `{sheet.name}` no row has the stage `{stage.name}`"
    if stage.name == "lab" and not any(run.row.settings.model_id.startswith("lab/") for run in runs):
        return f"in `{sheet.name}` no row has a model of the lab"
    paths = [folder / f"{name}.ipynb" for folder in (*asking, results / "chapters")]
    errors = {path: error_in(path) for path in paths if path.is_file()}
    why = next(filter(None, errors.values()), f"`make results RUNS={sheet}` did not come to it")
    return next((path for path, error in errors.items() if error is None), f"not run: {why}")


def _answered(path: Path) -> bytes:
    """An executed chapter, whose text shows what its cells glue."""
    notebook = nbformat.read(path, as_version=4)
    _show_own(notebook)
    return nbformat.writes(notebook).encode()


def _show_own(notebook: nbformat.NotebookNode) -> None:
    """Write into a notebook's text the Markdown that its own cells glue; nothing where they were not run."""
    glued = _glued(notebook.cells)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = OWN.sub(lambda match: glued.get(match[1]) or "", cell.source)


def _glued(cells: list[dict]) -> dict[str, str | None]:
    """The Markdown that cells glue, by name; None of what is glued in another form."""
    glued = {}
    for output in (output for cell in cells for output in cell.get("outputs", [])):
        if name := output.get("metadata", {}).get("scrapbook", {}).get("name"):
            texts = (text for kind, text in output["data"].items() if kind.endswith("text/markdown"))
            glued.setdefault(name, "".join(next(texts, "")) or None)
    return glued


def _as_text(path: Path, why: str) -> bytes:
    """A chapter that was not run: its text and code, under a note that says so."""
    notebook = nbformat.read(path, as_version=4)
    note = f"{_not_measured(why)} Below is the chapter as it would be run.\n:::"
    _show_own(notebook)
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell(note, id="unmeasured"))
    return nbformat.writes(notebook).encode()


def _not_measured(why: str) -> str:
    """The beginning of a note; an error is told as it is, whatever its characters mean in Markdown."""
    return f":::{{note}}\nNot measured: {_plain(why)}."


def _plain(text: str) -> str:
    return re.sub(r"([<>$|*_\\\[\]])", r"\\\1", text)


def _paste(match: re.Match, page: PurePosixPath, files: dict, missing: dict) -> str:
    """What stands in a page where it pastes a value of a notebook.

    Sphinx pastes charts and numbers from one page into another, but no Markdown: that is pasted here.
    """
    key, notebook = match[1] or match[4], _target(page, match[2] or match[3])
    if notebook in missing:
        return f"{_not_measured(missing[notebook])}\n:::" if match[1] else "(not measured)"
    glued = _glued(_cells(files.get(notebook)))
    if key in glued:
        return glued[key] or match[0]
    raise ValueError(f"{page} pastes {key!r} from {notebook}, which lacks it; add glue({key!r}, ...) there")


def _cells(notebook: bytes | None) -> list[dict]:
    return json.loads(notebook)["cells"] if notebook else []


def _target(page: PurePosixPath, target: str) -> PurePosixPath:
    """A path that a page names, from its own folder."""
    return PurePosixPath(os.path.normpath(page.parent / target))


def _run_page(path: Path, run: RunPages, page: PurePosixPath, pages: set[PurePosixPath]) -> bytes:
    """A stage notebook as a page of its own: a title that no other page has, links that still lead there."""
    notebook = nbformat.read(path, as_version=4)
    _show_own(notebook)
    corpus = run.row.settings.folder.parts[0]
    title = f"# {run.model} at {run.revision}, {corpus}: {path.stem.partition('_')[2].replace('_', ' ')}"
    texts = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    for cell in texts:
        cell.source = _relink(cell.source, page.parent, pages)
    headed = next((cell for cell in texts if re.search(r"^# ", cell.source, flags=re.M)), None)
    if headed:
        headed.source = re.sub(r"^# .*$", lambda _: title, headed.source, count=1, flags=re.M)
    else:
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell(title, id="title"))
    return nbformat.writes(notebook).encode()


def _relink(text: str, folder: PurePosixPath, pages: set[PurePosixPath]) -> str:
    """Rewrite a chapter's links to pages of the book so that they work from another folder."""

    def moved(match: re.Match) -> str:
        there = _target(PurePosixPath("notebooks/chapter"), match[1])
        return f"]({os.path.relpath(there, folder)}{match[2]})" if there in pages else match[0]

    return re.sub(r"\]\(([^)#\s]+)((?:#[^)\s]*)?)\)", moved, text)


def _by_model(runs: list[RunPages]) -> list[tuple[str, list[RunPages]]]:
    """Runs of each model on each corpus, in the order of the sheet, each sorted by training step."""
    groups: dict[PurePosixPath, list[RunPages]] = {}
    for run in sorted(runs, key=lambda run: training_order(run.row.settings.revision)):
        groups.setdefault(run.page.parent, []).append(run)
    several = len({page.parent for page in groups}) > 1
    names = {page: group[0].model + f" on {page.parent.name}" * several for page, group in groups.items()}
    return [(names[page], groups[page]) for page in dict.fromkeys(run.page.parent for run in runs)]


def _model_page(model: str, runs: list[RunPages]) -> str:
    """Index of a model's runs: one row each, with key numbers and links, or the error that it ended with."""
    rows = []
    for run in runs:
        links = [f"[{path.stem[3:]}]({run.page.name}/{path.name})" for path in run.notebooks]
        failed = [f"failed: {_plain(run.error)}"] if run.error else []
        cells = run.revision, *_key_numbers(run.folder), " · ".join(links + failed)
        rows.append(f"| {' | '.join(cells)} |")
    return MODEL_PAGE.format(model=model, rows="\n".join(rows))


def _key_numbers(folder: Path) -> tuple[str, str, str]:
    """LRDS, SADS and the best layer's retrieval of a run as text; a dash for what is not there."""
    lrds = sads = found = "–"
    if (folder / "similarity.parquet").is_file():
        table = pd.read_parquet(folder / "similarity.parquet")
        row = table.query("layer == 'all' and scale == 'standardised' and kind == 'all'").iloc[0]
        lrds, sads = (f"{row[score]:.3f} ± {row[f'{score}_se']:.3f}" for score in ("lrds", "sads"))
    if (folder / "retrieval.parquet").is_file():
        rows = pd.read_parquet(folder / "retrieval.parquet").query("kind == 'all'")
        found = f"{rows.groupby('layer').accuracy.mean().max():.2f} (chance {rows.chance.iloc[0]:.2g})"
    return lrds, sads, found


def _write(files: dict[PurePosixPath, bytes], pastes: dict, source: Path) -> list[Path]:
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
    for page, notebooks in pastes.items():
        if any(source / notebook in changed for notebook in notebooks):
            os.utime(source / page)
    return changed


def check_output(output: Path) -> None:
    """ValueError unless the output has the name that Jupyter Book writes to."""
    if output.name != "_build":
        raise ValueError(f"output is {output}; it must end in _build, the name that Jupyter Book writes to")


def jupyter_book(source: Path, output: Path, *options: str) -> int:
    """Run Jupyter Book on staged pages, to its end, with every warning an error; return its exit status."""
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(source)]
    command += ["--path-output", str(output.parent), "-W", "-n", "--keep-going", "-q", *options]
    return subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}).returncode


def check_links(source: Path, output: Path) -> None:
    """Ask every address that staged pages link to; RuntimeError where one does not answer."""
    if jupyter_book(source, output, "--builder", "linkcheck"):
        raise RuntimeError(f"links lead nowhere; they are listed in {output / 'linkcheck' / 'output.txt'}")


def build(source: Path, output: Path) -> Path:
    """Build staged pages into ``<output>/html``; return its index page.

    Raises
    ------
    ValueError
        When ``output`` is not named ``_build``.
    RuntimeError
        When the build has warnings or leaves no HTML.
    """
    check_output(output)
    index = output / "html" / "index.html"
    for page in (output / "html").glob("runs/**/*.html"):
        staged = source / page.relative_to(output / "html")
        if not any(staged.with_suffix(suffix).is_file() for suffix in (".ipynb", ".md")):
            page.unlink()
    failed = jupyter_book(source, output)
    if failed or not index.is_file():
        # A page is not read twice, so a warning would not come again: forget the pages, not the warning.
        shutil.rmtree(output / ".doctrees", ignore_errors=True)
        raise RuntimeError(f"the book in {source} was not built without warnings; they are printed above")
    return index


def main() -> int:
    """Command line: a sample sheet, the results of its runs, and where the book goes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, default=Path("runs/lab.csv"), help="sample sheet")
    parser.add_argument("--results", type=Path, default=Path("results"), help="root of the results")
    parser.add_argument("--output", type=Path, default=Path("_build"), help="a folder named _build")
    parser.add_argument("--links", action="store_true", help="only ask the addresses that the pages link to")
    parser.add_argument("--check", action="store_true", help="only see whether sheet and output are right")
    arguments = parser.parse_args()
    output = arguments.output.absolute()
    # Asked to end, it raises, and what it had started ends with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        check_output(output)
        if arguments.check:
            sheets.read_sheet(arguments.runs)
            return 0
        _, failed = stage(arguments.runs, arguments.results.absolute(), output / "source")
        if arguments.links:
            check_links(output / "source", output)
            return 0
        index = build(output / "source", output)
    except (FileNotFoundError, RuntimeError, ValueError) as error:
        print(f"{Path(__file__).name}: {error}", file=sys.stderr)
        return 1
    print(f"the book is at {index}")
    if failed:
        print(f"{len(failed)} failed, and the book says so:", *failed, sep="\n  ", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
