"""Notebooks: pairs agree cell by cell, are shaped alike, and run again give the same outputs."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import papermill
import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "notebooks").glob("*.py"))
NAMES = [path.stem for path in SOURCES]


def cells(path):
    return [
        (cell.cell_type, cell.source, cell.metadata.get("tags", [])) for cell in jupytext.read(path).cells
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_two_files_of_a_pair_agree_cell_by_cell(name):
    assert cells(ROOT / f"notebooks/{name}.py") == cells(ROOT / f"notebooks/{name}.ipynb")


@pytest.mark.parametrize("name", NAMES)
def test_a_tracked_notebook_holds_no_outputs(name):
    notebook = nbformat.read(ROOT / f"notebooks/{name}.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells)


@pytest.mark.parametrize("name", NAMES)
def test_papermill_reads_every_parameter_with_its_type_and_help(name):
    parameters = papermill.inspect_notebook(str(ROOT / f"notebooks/{name}.ipynb"))
    assert parameters
    for parameter in parameters.values():
        assert parameter["inferred_type_name"] in ("str", "int", "float", "bool"), parameter
        assert parameter["help"], parameter
        ast.literal_eval(parameter["default"])


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_begins_with_a_question_and_says_what_it_does_not_show(name):
    text = [source for kind, source, _ in cells(ROOT / f"notebooks/{name}.py") if kind == "markdown"]
    assert re.match(r"# .+\?\n", text[0] + "\n")
    assert all(f"**{word}**" in text[0] for word in ("Reads", "Writes", "Costs"))
    assert any(re.search(r"^## What this does not show$", source, re.M) for source in text)


@pytest.mark.parametrize("name", NAMES)
def test_no_cell_is_longer_than_what_wants_a_name_in_the_package(name):
    for kind, source, _ in cells(ROOT / f"notebooks/{name}.py"):
        if kind == "code":
            assert len(source.splitlines()) <= 20, source


def test_executed_notebooks_give_the_same_outputs_when_they_are_run_again(small_book):
    executed = sorted(small_book.results.rglob("0*.ipynb"))
    assert {path.stem for path in executed} == set(NAMES)
    last = {path.stem: path for path in executed}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.nbval_quiet",
        "--nbval",
        "--nbval-current-env",
    ]
    command += ["--nbval-sanitize-with", str(ROOT / "tests/nbval_sanitize.cfg"), *map(str, last.values())]
    done = subprocess.run(command, cwd=ROOT, env=small_book.environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]


def test_a_failed_run_keeps_its_executed_notebook_and_stops_no_other(tmp_path, small_book):
    sheet = tmp_path / "two.csv"
    good = small_book.rows[-1]
    sheet.write_text(
        "model_id,revision,n_sentences,stages\n"
        f"{good['model_id']},step999999,12,activations\n"
        f"{good['model_id']},{good['revision']},12,activations\n"
    )
    done = small_book.make("results", sheet=sheet, results=tmp_path / "results")
    assert done.returncode != 0
    failed, fine = (
        tmp_path / f"results/world/lab--bloom-xs/{name}" for name in ("step999999", good["revision"])
    )
    errors = [
        output
        for cell in nbformat.read(failed / "03_activations.ipynb", as_version=4).cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]
    assert "step999999" in errors[0].evalue
    assert (fine / "manifest.json").is_file() and (fine / "activations").is_dir()
    assert not (failed / "activations").exists()


def test_nothing_is_computed_or_run_twice(small_book):
    before = {path: path.stat().st_mtime_ns for path in small_book.results.rglob("*") if path.is_file()}
    assert small_book.make("results").returncode == 0
    after = {path: path.stat().st_mtime_ns for path in small_book.results.rglob("*") if path.is_file()}
    assert after == before
