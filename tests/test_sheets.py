"""Sample sheets are checked whole before any run starts, and every stage stands in one table."""

from pathlib import Path

import jupytext
import pytest
import yaml

from lingua_utils.runs import sheets

ROOT = Path(__file__).resolve().parent.parent


def write(folder, text):
    path = folder / "sheet.csv"
    path.write_text(text)
    return path


def test_a_row_needs_only_a_model_and_the_rest_has_defaults(tmp_path):
    (row,) = sheets.read_sheet(write(tmp_path, "model_id\nlab/bloom-m\n"))
    assert row.settings == sheets.RunSettings("lab/bloom-m")
    assert row.stages == ("activations", "similarity")


def test_stages_run_in_the_order_of_the_pipeline_whatever_the_sheet_says(tmp_path):
    (row,) = sheets.read_sheet(write(tmp_path, "model_id,stages\nm,tasks similarity activations accuracy\n"))
    assert row.stages == ("activations", "similarity", "accuracy", "tasks")
    assert row.notebooks == ["03_activations", "04_similarity", "07_tasks"]


def test_comments_and_blank_lines_are_no_rows(tmp_path):
    rows = sheets.read_sheet(write(tmp_path, "# why\nmodel_id,revision\n\nm,a\n# more\nm,b\n"))
    assert [row.settings.revision for row in rows] == ["a", "b"]


def test_seeds_of_text_and_of_training_are_rows_of_one_sheet(tmp_path):
    text = "model_id,seed,training_seed\n" + "".join(f"lab/bloom-m,{a},{b}\n" for a in (0, 1) for b in (0, 1))
    rows = sheets.read_sheet(write(tmp_path, text))
    assert len({row.run().folder for row in rows}) == 4


def test_what_only_some_stages_know_can_be_put_into_a_sheet(tmp_path):
    (row,) = sheets.read_sheet(
        write(tmp_path, "model_id,n_controls,silenced_languages,silenced_rules\nm,2,fra_Latn,calibrated\n")
    )
    assert row.settings.n_controls == 2 and row.settings.names("silenced_languages") == ("fra_Latn",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_id,colour\nm,red\n", "unknown column 'colour'"),
        ("revision\nmain\n", "no column 'model_id'"),
        ("model_id,revision\n,main\n", "row 1: model_id is empty"),
        ("model_id,n_sentences\nm,ten\n", "row 1: n_sentences is 'ten', which is not a number"),
        ("model_id,n_sentences\nm,1\n", "row 1: n_sentences is 1"),
        ("model_id,pooling\nm,mean\nn,max\n", "row 2: pooling is 'max'; it can be mean, skip_first, last"),
        ("model_id,languages\nm,eng_Latn xxx_Xxxx\n", "row 1: .*xxx_Xxxx"),
        ("model_id,stages\nm,similarity dance\n", "row 1: unknown stage 'dance'"),
        ("model_id,revision\nm,a\nm,b\nm,a\n", "row 3 writes to the same folder as an earlier row"),
        ("model_id\nm,extra\n", "row 1: more cells than the header"),
        ("model_id\n", "has no rows"),
        ("model_id,corpus\nm,world\nm,..\n", r"row 2: corpus is '\.\.'"),
        ("model_id\n.\n", r"row 1: .*'\.'"),
        ("model_id,revision\nm,/etc/passwd\n", "row 1: .*/etc/passwd"),
        ("model_id,revision\nm,../../x\n", r"row 1: .*\.\./\.\./x"),
    ],
)
def test_a_row_that_cannot_run_is_named_in_one_line(tmp_path, text, message):
    with pytest.raises(ValueError, match=message) as caught:
        sheets.read_sheet(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_missing_sheet_is_answered_with_those_that_are_there(tmp_path):
    write(tmp_path, "model_id\nm\n")
    with pytest.raises(FileNotFoundError, match=r"sheets there: sheet\.csv"):
        sheets.read_sheet(tmp_path / "other.csv")


def test_every_sheet_of_the_project_is_valid(project_sheets):
    assert project_sheets
    for path in project_sheets:
        assert sheets.read_sheet(path)


# ---- the table of stages ---------------------------------------------------------------------------------


@pytest.mark.parametrize("notebook", sorted({stage.notebook for stage in sheets.STAGES}))
def test_the_head_of_a_notebook_says_what_the_table_of_stages_says(notebook):
    head = jupytext.read(ROOT / f"notebooks/{notebook}.py").cells[0].source
    assert sheets.head_of(notebook) in head


def test_every_notebook_is_in_the_table_and_in_the_book():
    named = {stage.notebook for stage in sheets.STAGES}
    assert named == {path.stem for path in (ROOT / "notebooks").glob("*.py")}
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    pages = [Path(chapter["file"]).name for part in toc["parts"] for chapter in part["chapters"]]
    assert named <= set(pages)


def test_a_table_is_written_by_one_stage_and_published_only_where_it_is_written():
    written = [table for stage in sheets.STAGES for table in stage.writes]
    assert len(written) == len(set(written))
    assert all(set(stage.published) <= set(stage.writes) for stage in sheets.STAGES)


@pytest.mark.parametrize("stage", [s for s in sheets.STAGES if s.writes], ids=lambda s: s.name)
def test_a_notebook_makes_the_tables_that_its_stage_writes(stage):
    source = (ROOT / f"notebooks/{stage.notebook}.py").read_text()
    assert all(f"def {table}():" in source for table in stage.writes)


def test_an_unknown_table_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="no stage writes a table 'dance'; there are tokens, activity"):
        sheets.stage_of("dance")
