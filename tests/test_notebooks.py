"""Notebooks: pairs agree cell by cell, are shaped alike, and run again give the same outputs."""

import ast
import re
import sys
from pathlib import Path

import in_group
import jupytext
import nbformat
import pandas as pd
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
def test_the_first_paragraph_of_a_notebook_is_the_answer_that_its_cells_compute(name):
    (_, head, _), *rest = cells(ROOT / f"notebooks/{name}.py")
    assert head.split("\n\n")[1] == "```{glue} answer\n```"
    assert sum('glue("answer", ' in source for kind, source, _ in rest if kind == "code") == 1


HEAD = {"parameters", "remove-cell", "hide-input", "hide-cell"}
STAGES = [name for name in NAMES if "03" <= name[:2] <= "07"]


@pytest.mark.parametrize("name", NAMES)
def test_a_cell_that_computes_holds_one_idea(name):
    for kind, source, tags in cells(ROOT / f"notebooks/{name}.py"):
        if kind == "code" and not HEAD & set(tags):
            # Blank lines and a function's docstring do not count.
            lines = [line for line in source.splitlines() if line.strip() and '"""' not in line]
            assert len(lines) <= 15, source


@pytest.mark.parametrize("name", NAMES)
def test_installing_importing_and_parameters_come_first_and_are_folded_away(name):
    code = [(source, tags) for kind, source, tags in cells(ROOT / f"notebooks/{name}.py") if kind == "code"]
    install, imports, parameters, *_ = code
    assert "remove-cell" in install[1] and "hide-input" in imports[1]
    assert {"parameters", "hide-input"} <= set(parameters[1])


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_shows_plain_code_beside_the_fast_and_makes_its_tables(name):
    code = [source for kind, source, _ in cells(ROOT / f"notebooks/{name}.py") if kind == "code"]
    assert any("assert " in source for source in code)
    assert any("run.table" in source for source in code)


@pytest.mark.parametrize("name", ["01_corpus", *STAGES])
def test_a_stage_reads_invented_languages_as_any_others(name, small_run, tmp_path):
    quick = {"silenced_rules": "calibrated", "n_controls": 1, "doses": "0 1", "silenced_sentences": 4}
    quick |= {"n_items": 4, "silenced": False}
    executed = small_run(name, tmp_path, corpus="invented:overlap=0.5,order=SVO/SOV", **quick)
    text = executed.names["text"] if name == "01_corpus" else executed.names["run"].corpus()
    assert text.languages == ("qaa_Latn", "qab_Grek")


def test_changing_the_rule_in_the_chapter_on_regions_changes_its_tables_and_figures(small_book, tmp_path):
    notebook = nbformat.read(ROOT / "notebooks/05_regions.ipynb", as_version=4)
    (cell,) = (cell for cell in notebook.cells if cell.source.startswith("chosen = "))
    parameters = {"model_id": "lab/bloom-xs", "revision": "step000100", "n_sentences": 12}
    outputs = {}
    for name, chosen in (("as it is", cell.source), ("changed", 'chosen = ["ap", two_deviations]')):
        cell.source = chosen
        changed = tmp_path / f"{name}.ipynb"
        nbformat.write(notebook, changed)
        executed = execute(changed, small_book, parameters | {"results": str(tmp_path / "results")})
        (folder,) = tmp_path.glob("results/*/*/step000100*")  # beside it, the untrained twin
        shown = str([cell.get("outputs") for cell in executed.cells])
        outputs[name] = pd.read_parquet(folder / "region_null.parquet"), shown
    before, after = outputs.values()
    assert before[0].rule.tolist() == ["distinctive", "calibrated", "zscore", "lape", "ap"]
    assert after[0].rule.tolist() == ["ap", "two_deviations"]
    assert "two_deviations" not in before[1] and "two_deviations" in after[1]


def execute(path, small_book, parameters):
    """An executed copy, by a kernel that finds the checkpoints of the small book."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in small_book.environment.items():
            patch.setenv(name, value)
        target = path.with_suffix(".out.ipynb")
        options = {"progress_bar": False, "kernel_name": "python3", "cwd": str(path.parent)}
        return papermill.execute_notebook(str(path), str(target), parameters=parameters, **options)


def test_executed_notebooks_give_the_same_outputs_when_they_are_run_again(small_book):
    executed = sorted(small_book.results.rglob("[0-9][0-9]_*.ipynb"))
    assert {path.stem for path in executed} == set(NAMES)
    last = {path.stem: path for path in executed}
    options = "-q -p no:cacheprovider -p tests.nbval_quiet --nbval --nbval-current-env --nbval-sanitize-with"
    command = [sys.executable, "-m", "pytest", *options.split(), str(ROOT / "tests/nbval_sanitize.cfg")]
    command += map(str, last.values())
    done = in_group.run(command, cwd=ROOT, env=small_book.environment)
    assert done.returncode == 0, done.stdout[-4000:]


def test_a_failed_run_keeps_its_executed_notebook_and_stops_no_other(tmp_path, small_book):
    sheet = tmp_path / "two.csv"
    revision = small_book.rows[-1].settings.revision
    sheet.write_text(
        "model_id,revision,n_sentences,stages\n"
        "lab/bloom-xs,step999999,12,activations\n"
        f"lab/bloom-xs,{revision},12,activations\n"
    )
    done = small_book.make("results", sheet=sheet, results=tmp_path / "results")
    assert done.returncode != 0
    failed, fine = (
        tmp_path / f"results/world/lab--bloom-xs/{name}+n_sentences=12" for name in ("step999999", revision)
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
