"""The chapter on invented languages, on made-up tables of the whole study, and its charts."""

import json
from dataclasses import asdict
from pathlib import Path

import fake_study
import pandas as pd
import pytest
import vl_convert
from in_process import run_notebook

from lingua_utils.charts import controlled as draw
from lingua_utils.measure import controlled as measure
from lingua_utils.runs import controlled as study

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def chapter(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    fake_study.write(folder / "controlled")
    return run_notebook("11_controlled", published=str(folder))


def test_the_chapter_finds_what_was_put_into_the_tables(chapter):
    """Common words raise the SADS that is learned by 0.3 × 0.8; no other factor does anything."""
    effect = chapter["effect_of"]("overlap")
    assert effect.value == pytest.approx(0.3 * 0.8, abs=0.03) and effect.high - effect.low < 0.1
    assert chapter["verdict"]("common words") == "as expected"
    assert {chapter["verdict"](name) for name in ("bilingual lines", "capacity")} <= {
        "not borne out",
        "against it",
    }


def test_the_power_that_the_chapter_shows_is_enough(chapter):
    assert chapter["power"] >= 0.8 and 0.03 <= chapter["false"] <= 0.07


def test_the_published_tables_hold_every_cell_of_the_sheet_at_every_checkpoint():
    folder = study.published(ROOT / "book/published")
    records, cells = json.loads((folder / study.RECORDS).read_text()), study.read_sheet(ROOT / study.SHEET)
    assert [measure.Cell(**{key: record[key] for key in asdict(cells[0])}) for record in records] == cells
    outcomes = pd.read_parquet(folder / "outcomes.parquet")
    steps = outcomes.groupby(["study", "cell", "seed"]).step.apply(tuple)
    assert {cell: steps[cell.study, cell.cell, cell.seed] for cell in cells} == {
        cell: cell.checkpoints for cell in cells
    }


def test_tables_that_are_missing_are_named_with_the_way_to_make_them(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no tables of the study in .*: `make study` runs it"):
        study.published(tmp_path)


def rows(**columns):
    """A small table with a value, its interval and its levels."""
    levels = {"value": 0.3, "low": 0.2, "high": 0.4, "floor": 0.1, "ceiling": 0.5}
    return pd.DataFrame(columns).assign(**levels)


TWO = {"outcome": ["sads", "bits"]}
CHARTS = {
    "design": lambda: draw.design(study.coded(), study.FACTORS),
    "effects": lambda: draw.effects(rows(**TWO, term=["script", "order"], effect=[0.1, -0.1])),
    "interaction": lambda: draw.interaction(
        rows(outcome="sads", script=["same", "disjoint"] * 2, order=["SVO", "SVO", "SOV", "SOV"]),
        "script",
        "order",
    ),
    "by_cell": lambda: draw.by_cell(rows(**TWO, cell=["clone", "identical"])),
    "doses": lambda: draw.doses(rows(**TWO, series="overlap", dose=[0.1, 0.2]), "share"),
    "timeline": lambda: draw.timeline(rows(outcome="sads", cell="clone", step=[0, 50])),
    "profiles": lambda: draw.profiles(rows(cell=["none", "all"], layer=[0, 1])),
    "agreement": lambda: draw.agreement(
        pd.DataFrame({"one": ["sads", "cka"], "other": ["cka", "sads"], "value": [0.4, 0.4]})
    ),
}


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_has_a_title_and_a_description_and_compiles(name):
    specification = CHARTS[name]().to_dict()
    assert specification["title"] and len(specification["description"]) > 20
    assert vl_convert.vegalite_to_vega(specification, vl_version="6.4")["marks"]


def test_a_missing_column_and_an_unknown_outcome_are_named():
    table = rows(**TWO, cell=["clone", "identical"])
    with pytest.raises(ValueError, match="no column 'floor'"):
        draw.by_cell(table.drop(columns="floor"))
    with pytest.raises(ValueError, match="no outcome 'beauty'; there are sads"):
        draw.by_cell(table.assign(outcome="beauty"))


def test_the_made_up_tables_have_no_column_that_the_study_does_not_write(tmp_path):
    written = measure.run(measure.Cell("factorial", "small", 0, hidden_size=16, n_layers=2, steps=1))
    folder = fake_study.write(tmp_path)
    for name in study.TABLES:
        assert set(pd.read_parquet(folder / f"{name}.parquet")) <= set(written[name])
