"""Settings are said once: checked, named in the folder, and the same in every notebook."""

import ast
import re
from dataclasses import fields
from pathlib import Path

import jupytext
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingua_utils.measure import activations, regions, tasks
from lingua_utils.models import devices
from lingua_utils.runs import sheets
from lingua_utils.runs.settings import RULES, RunSettings, help_of, parameters_cell

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
BESIDE = {"results", "sheet", "published", "silenced"}  # parameters that are no settings of a run


def parameters_of(path: Path) -> list[str]:
    """Lines of a notebook's parameters cell."""
    cells = [cell for cell in jupytext.read(path).cells if "parameters" in cell.metadata.get("tags", [])]
    return cells[0].source.splitlines()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_notebook_says_of_a_setting_is_what_the_settings_say(path):
    said = set(parameters_cell().splitlines())
    for line in parameters_of(path):
        name = line.partition(":")[0]
        if name not in BESIDE and not (path.stem == "00_any_model" and name == "model_id"):
            assert line in said


@pytest.mark.parametrize(
    "stage", [stage for stage in sheets.STAGES if stage.per == "run"], ids=lambda s: s.name
)
def test_the_notebook_of_a_stage_takes_every_setting(stage):
    given = [line.partition(":")[0] for line in parameters_of(ROOT / f"notebooks/{stage.notebook}.py")]
    assert given[: len(fields(RunSettings))] == [setting.name for setting in fields(RunSettings)]


def test_the_parameters_cell_holds_nothing_but_literals_with_their_help():
    for line, setting in zip(parameters_cell().splitlines(), fields(RunSettings), strict=True):
        assignment = ast.parse(line).body[0]
        assert ast.literal_eval(assignment.value) == setting.default
        assert line.endswith(f"# {help_of(setting)}")
        assert line.count("=") == 1 and "|" not in line  # or papermill cannot read it


def test_the_page_on_running_lists_every_setting():
    page = (ROOT / "book/run_it.md").read_text()
    for setting in fields(RunSettings):
        default = f'"{setting.default}"' if isinstance(setting.default, str) else setting.default
        assert f"| `{setting.name}` | `{default}` | {help_of(setting)} |" in page


def test_the_values_that_settings_allow_are_those_that_the_measures_know():
    allowed = {setting.name: setting.metadata["allowed"] for setting in fields(RunSettings)}
    assert allowed["pooling"] == activations.POOLINGS
    assert allowed["dtype"] == ("auto", *devices.DTYPES)
    assert allowed["task"] == tuple(tasks.TASKS)
    assert tuple(regions.RULES) == RULES


# ---- what cannot work -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pooling": "max"}, "pooling is 'max'; it can be mean, skip_first, last"),
        ({"digits": "roman"}, "digits is 'roman'"),
        ({"n_sentences": 1}, "n_sentences is 1; pairs of sentences need at least 2"),
        ({"n_sentences": -5}, "n_sentences is -5; it must be at least 0"),
        ({"n_sentences": "ten"}, "n_sentences is 'ten', which is no int"),
        ({"languages": "eng_Latn xyz_Xxxx"}, "xyz_Xxxx"),
        ({"rules": "zscore mine"}, "rules has 'mine'; it can have distinctive, calibrated, zscore, lape, ap"),
        ({"doses": "0 two"}, "doses has 'two'"),
        ({"seed": True}, "seed is True, which is no int"),
        ({"corpus": ".."}, "corpus is '..', which names no corpus of its own"),
        ({"corpus": "."}, "corpus is '.'"),
        ({"corpus": "text/.."}, "corpus is 'text/..'"),
        ({"corpus": ""}, "corpus is ''"),
        ({"model_id": "."}, "'.'"),
        ({"model_id": "models/.."}, r"models/\.\."),
        ({"revision": "/etc/passwd"}, "/etc/passwd"),
        ({"revision": "../../x"}, r"\.\./\.\./x"),
        ({"revision": ""}, "revision"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_in_one_line(given, message):
    with pytest.raises(ValueError, match=message) as caught:
        RunSettings(**given)
    assert "\n" not in str(caught.value)


# ---- the folder -----------------------------------------------------------------------------------------


def test_the_folder_names_what_is_not_at_its_default():
    settings = RunSettings("lab/bloom-m", "step000600", seed=1, n_sentences=60)
    assert str(settings.folder) == "world/lab--bloom-m/step000600+seed=1+n_sentences=60"


def test_two_corpora_of_one_name_in_two_places_have_two_folders(tmp_path):
    for place in ("a/nt", "b/nt", "nt.v1", "nt.v2"):
        (tmp_path / place).mkdir(parents=True)
    folders = {
        RunSettings(corpus=str(tmp_path / place)).folder for place in ("a/nt", "b/nt", "nt.v1", "nt.v2")
    }
    assert len(folders) == 4


def test_a_model_on_disk_has_a_folder_by_where_it_lies(tmp_path):
    places = [tmp_path / "a/model", tmp_path / "b/model"]
    for place in places:
        place.mkdir(parents=True)
    first, second = (RunSettings(str(place)).folder for place in places)
    assert first != second and first.parts[1].startswith("model-")


def test_all_languages_are_a_setting_and_those_silenced_are_named():
    assert RunSettings(languages="all").names("languages") == ("all",)
    with pytest.raises(ValueError, match="'all'"):
        RunSettings(silenced_languages="all")


def test_languages_may_be_named_with_commas_or_spaces():
    spaced, commas = (RunSettings(languages=text) for text in ("eng_Latn fra_Latn", "eng_Latn, fra_Latn"))
    assert spaced == commas and spaced.folder.name == "main+languages=eng_Latn,fra_Latn"


CHANGES = {
    "training_seed": st.integers(0, 3),
    "seed": st.integers(0, 3),
    "n_sentences": st.sampled_from([0, 2, 200]),
    "languages": st.sampled_from(["default", "all", "eng_Latn fra_Latn", "fra_Latn eng_Latn"]),
    "digits": st.sampled_from(["", "none", "latin"]),
    "pooling": st.sampled_from(["mean", "last"]),
    "n_controls": st.integers(1, 3),
    "doses": st.sampled_from(["0 1", "1", "0 0.5 1"]),
    "revision": st.sampled_from(["main", "a+seed=1", "refs/pr/1", "refs--pr--1"]),
}


@given(st.fixed_dictionaries({}, optional=CHANGES), st.fixed_dictionaries({}, optional=CHANGES))
def test_two_settings_share_a_folder_only_when_they_are_equal(one, other):
    first, second = RunSettings(**one), RunSettings(**other)
    assert (first.folder == second.folder) == (first == second)
    assert not first.folder.is_absolute() and ".." not in first.folder.parts and len(first.folder.parts) == 3


def test_a_long_value_does_not_make_a_name_that_no_disk_takes():
    from lingua_utils.text.languages import LANGUAGES

    name = RunSettings(languages=" ".join(LANGUAGES)).folder.name
    assert len(name) < 120 and re.search(r"~[0-9a-f]{6}$", name)
