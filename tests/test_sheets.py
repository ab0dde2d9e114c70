"""Sample sheets are checked whole before any run starts."""

import pytest

from lingua_utils.runs import sheets


def write(folder, text):
    path = folder / "sheet.csv"
    path.write_text(text)
    return path


def test_a_row_needs_only_a_model_and_the_rest_has_defaults(tmp_path):
    (row,) = sheets.read_sheet(write(tmp_path, "model_id\nlab/bloom-m\n"))
    assert row["revision"] == "main" and row["corpus"] == "world" and row["seed"] == 0
    assert row["stages"] == "activations similarity"


def test_stages_run_in_the_order_of_the_pipeline_whatever_the_sheet_says(tmp_path):
    (row,) = sheets.read_sheet(write(tmp_path, "model_id,stages\nm,similarity activations\n"))
    assert row["stages"] == "activations similarity"


def test_comments_and_blank_lines_are_no_rows(tmp_path):
    rows = sheets.read_sheet(write(tmp_path, "# why\nmodel_id,revision\n\nm,a\n# more\nm,b\n"))
    assert [row["revision"] for row in rows] == ["a", "b"]


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


def test_every_sheet_of_the_project_is_valid():
    paths = sorted(sheets.files.resolve("runs").glob("*.csv"))
    assert paths
    for path in paths:
        assert sheets.read_sheet(path)
