"""Chapter 13: what the atlas holds is what the tables say, and every figure is one that Vega draws."""

import json
import re

import fake_tables
import numpy as np
import pandas as pd
import pytest
import vl_convert
from fake_tables import grid
from in_process import run_notebook
from test_charts import HOSTILE

from lingua_utils.charts import atlas as draw
from lingua_utils.runs.settings import RunSettings
from lingua_utils.text.languages import get_language

LANGUAGES = ("arb_Arab", "eng_Latn", "fra_Latn", "hin_Deva", "zho_Hant")
GEMMA = "pypi/gemma-3-270m"


def of_gemma(table: pd.DataFrame) -> pd.DataFrame:
    """A table of step 0 and of another step as that of an untrained twin and of a finished model, on PUD."""
    settings = RunSettings(GEMMA, corpus="pud", n_sentences=0).as_dict()
    step = table.step.astype("Int64").where(table.step == 0)
    revision = np.where(table.step == 0, "untrained", "main")
    model = {"model_id": GEMMA, "n_parameters": 270e6, "n_layers": 3, "n_neurons": 768, "code": "c"}
    return table.assign(**settings | model | {"step": step, "revision": revision})


def noise(rows: int) -> np.ndarray:
    return np.random.default_rng(rows).uniform(0, 0.3, rows)


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    """Published tables of one real model and of its twin."""
    retrieval = fake_tables.retrieval(steps=(0, 8), languages=LANGUAGES)
    retrieval["accuracy"] += noise(len(retrieval))
    cosines = fake_tables.cosines(steps=(0, 8), languages=LANGUAGES)
    # As between two languages, so between the second and the first.
    pairs = cosines[["source", "target"]].apply(lambda pair: tuple(sorted(pair)), axis=1)
    cosines["different_meaning"] += (
        pd.Series(noise(len(cosines))).groupby([pairs, cosines.layer]).transform("first")
    )
    rules = ("distinctive", "lape")
    neurons = grid(step=(0, 8), rule=rules, layer_index=(0, 2), language=LANGUAGES[:2], neuron=(5, 7))
    found = {
        "similarity": fake_tables.similarity(steps=(0, 8)),
        "retrieval": retrieval.assign(accuracy_low=retrieval.accuracy / 2, accuracy_high=1.0),
        "cosines": cosines,
        "region_counts": fake_tables.region_counts(steps=(0, 8), languages=LANGUAGES),
        "region_neurons": neurons.assign(score=neurons.neuron),
    }
    return {name: of_gemma(table) for name, table in found.items()}


@pytest.fixture(scope="module")
def chapter(tmp_path_factory, tables) -> dict:
    """What the chapter leaves behind."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "real").mkdir()
    for name, table in tables.items():
        table.to_parquet(folder / "real" / f"{name}.parquet", index=False)
    (folder / "real" / "manifests.json").write_text("[]")
    return run_notebook(
        "13_atlas", published=str(folder), results=str(folder / "results"), sheet="runs/lab.csv"
    )


@pytest.fixture(scope="module")
def page(chapter) -> str:
    return draw.atlas(chapter["parts_of"], "SADS")._repr_html_()


@pytest.fixture(scope="module")
def held(page) -> dict:
    """What the page's script reads."""
    return json.loads(re.search(r'<script type="application/json">(.*)</script>', page)[1])


def number(
    held: dict, level: str, measure: str, step: int, layer: int, *at: int, column: str = "value"
) -> float:
    """A number of the first model, found as the page's script finds it."""
    model = held["models"][0]
    table, n = model[level][measure], len(model["languages"])
    place = np.ravel_multi_index((step, layer, *at), (2, len(model["layers"]), *[n] * len(at)))
    whole = table["numbers"][place * len(table["columns"]) + table["columns"].index(column)]
    return np.nan if whole is None else whole / held["precision"]


def test_the_model_stands_with_its_twin_first_and_its_layers_in_order(held):
    (model,) = held["models"]
    assert model["name"] == "gemma-3-270m on PUD"
    assert model["steps"] == [0, None] and model["layers"] == ["0", "1", "2"]
    assert set(model["languages"]) == set(LANGUAGES)


def test_translations_found_are_those_of_the_table_and_means_are_across_scripts(tables, held):
    rows = tables["retrieval"].query("kind == 'all' and layer == '1' and revision == 'main'")
    codes = held["models"][0]["languages"]
    pair = rows.query("source == 'eng_Latn' and target == 'fra_Latn'")
    at = codes.index("eng_Latn"), codes.index("fra_Latn")
    assert number(held, "pairs", "translations found", 1, 1, *at) == pytest.approx(
        pair.accuracy.item(), abs=6e-5
    )
    from_english = rows.query("source == 'eng_Latn' and target != 'fra_Latn'")
    mean = number(held, "each", "translations found", 1, 1, at[0])
    assert mean == pytest.approx(from_english.accuracy.mean(), abs=6e-5)


def test_the_pairs_of_all_languages_come_to_the_scores_by_definition(tables, held):
    rows = tables["cosines"].query("layer == '2' and revision == 'main'")
    same = rows.source == rows.target
    lrds = rows.different_meaning[same].mean() - rows.different_meaning[~same].mean()
    sads = (rows.same_meaning - rows.different_meaning)[~same].mean()
    for measure, score in (("LRDS", lrds), ("SADS", sads)):
        n = range(len(LANGUAGES))
        pairs = [number(held, "pairs", measure, 1, 2, a, b) for a in n for b in n if a != b]
        assert np.mean(pairs) == pytest.approx(score, abs=1e-4)
        each = [number(held, "each", measure, 1, 2, a) for a in n]
        assert np.mean(each) == pytest.approx(score, abs=1e-4)


def test_key_neurons_are_those_of_the_leading_rule_the_strongest_first(tables, held):
    counts = tables["region_counts"].query("rule == 'distinctive' and layer == '1' and revision == 'main'")
    assert number(held, "whole", "key neurons", 1, 1) == pytest.approx(counts.share.sum(), abs=6e-5)
    neurons = held["models"][0]["neurons"]
    assert neurons["1 2 arb_Arab"] == [7, 5]
    assert "1 1 arb_Arab" not in neurons and len(neurons) == 8


def test_a_language_links_to_its_own_treebank(held):
    addresses = held["texts"]["PUD"]["addresses"]
    assert all(f"/{get_language(code).tag[:2]}_pud/" in address for code, address in addresses.items())
    assert "sentences" not in held["texts"]["PUD"]


def test_no_text_ends_the_script_that_holds_it(chapter):
    (part,) = chapter["parts_of"]
    shown = {code: [HOSTILE] for code in LANGUAGES}
    page = draw.atlas([draw.Part(part.text, part.layers, part.numbers, None, shown)], "SADS")._repr_html_()
    assert page.count("</script>") == 1 and "<img" not in page
    data = json.loads(re.search(r'<script type="application/json">(.*)</script>', page)[1])
    assert data["texts"]["PUD"]["sentences"]["hin_Deva"] == [HOSTILE]


@pytest.mark.parametrize("name", draw.figures())
def test_every_figure_has_a_description_and_is_one_that_vega_draws(name):
    chart = draw.figures()[name]
    assert chart.description.endswith(".")
    compiled = vl_convert.vegalite_to_vega(chart.to_dict())
    signals = {signal["name"] for signal in compiled["signals"]}
    assert {"heading", "subheading", "form", "chosen", "other"} <= signals


def test_an_atlas_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no model"):
        draw.atlas([], "SADS")
