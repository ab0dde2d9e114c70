"""Chapter 10: how far the lingua franca reaches, on made-up tables of the Declaration of Human Rights."""

import json

import fake_tables
import numpy as np
import pandas as pd
import pytest
import vl_convert
from fake_tables import N_PARAGRAPHS
from in_process import run_notebook
from scipy import stats
from specification import data_sets, fields, found, rows_of

from lingua_utils.charts import languages as draw
from lingua_utils.charts import theme
from lingua_utils.charts.parts import MAX_ROWS
from lingua_utils.runs.settings import RunSettings
from lingua_utils.text.languages import get_language


def publish(folder, **tables):
    """Write tables where published ones are, with every setting of their runs."""
    settings = RunSettings("m", corpus="udhr", n_sentences=0, dtype="bfloat16").as_dict()
    beside = {"step": pd.array([pd.NA], dtype="Int64")[0], "code": "c"}
    (folder / "real").mkdir(parents=True)
    for name, table in tables.items():
        given = {key: value for key, value in settings.items() if key not in table}
        whole = table.assign(**given, **beside).astype({"step": "Int64"})
        whole.to_parquet(folder / "real" / f"{name}.parquet", index=False)
    (folder / "real" / "manifests.json").write_text("[]")
    return folder


def run_chapter(published, **parameters) -> dict:
    nowhere = str(published / "results")
    return run_notebook(
        "10_languages", published=str(published), results=nowhere, sheet="runs/lab.csv", **parameters
    )


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return dict(zip(("retrieval", "tokens"), fake_tables.declaration(), strict=True))


@pytest.fixture(scope="module")
def chapter(tmp_path_factory, tables) -> dict:
    """What the chapter leaves behind."""
    return run_chapter(publish(tmp_path_factory.mktemp("published") / "all", **tables))


# ---- tables ----------------------------------------------------------------------------------------------


def test_a_language_stands_beside_its_own_twin_or_else_beside_all_that_the_twin_read(chapter, tables):
    reach = chapter["reach"].query("model == 'gemma-3-270m' and layer == '3'").set_index("language")
    of_gemma = tables["retrieval"].query("model_id == 'pypi/gemma-3-270m' and target == 'eng_Latn'")
    twin = of_gemma.query("revision == 'untrained' and layer == '3'")
    own = twin.set_index("source").accuracy
    read = reach.index.isin(own.index)
    assert 0 < read.sum() < len(reach) == 365
    np.testing.assert_allclose(reach.twin[read], own[reach.index[read]])
    np.testing.assert_allclose(reach.twin[~read], own.mean())


def test_languages_above_the_twin_are_the_discoveries_of_fishers_test(chapter):
    rows = chapter["reach"].query("model == 'smollm2-135m' and layer == '2'").reset_index(drop=True)
    n_read = (
        chapter["retrieval"].query("model == 'smollm2-135m' and revision == 'untrained'").source.nunique()
    )
    pooled = N_PARAGRAPHS * (n_read - 1)  # English is not looked for in English
    own = np.isclose(rows.twin * N_PARAGRAPHS % 1, 0)
    p = []
    for (_, row), is_own in zip(rows.iterrows(), own, strict=True):
        n = N_PARAGRAPHS if is_own else pooled
        counts = [[row.found * N_PARAGRAPHS, row.twin * n]]
        counts.append([N_PARAGRAPHS - counts[0][0], n - counts[0][1]])
        p.append(stats.fisher_exact(np.rint(counts), alternative="greater").pvalue)
    ordered = np.sort(p)
    passing = ordered <= 0.05 * np.arange(1, len(p) + 1) / len(p)
    limit = ordered[np.flatnonzero(passing).max()]
    assert 0 < rows.above.sum() < len(rows)
    np.testing.assert_array_equal(rows.above, np.array(p) <= limit)


def test_the_best_layer_is_that_in_which_most_is_found_over_all_languages(chapter):
    of_model = chapter["reach"].query("model == 'gemma-3-270m'")
    means = {layer: of_model[of_model.layer == layer].found.mean() for layer in of_model.layer.unique()}
    assert chapter["best"]["gemma-3-270m"] == max(means, key=means.get)


def test_counts_are_those_of_the_languages_at_the_best_layer(chapter):
    rows = chapter["at_best"].query("model == 'gemma-3-270m'")
    counted = list(chapter["counts"]("gemma-3-270m").values())
    assert counted == [
        365,
        sum(rows.found > 0.5),
        sum(rows.low > 0.5),
        sum(rows.found > 0.2),
        sum(~rows.above),
    ]


def test_the_correlation_within_families_is_that_of_their_pairs():
    generator = np.random.default_rng(0)
    families = pd.Series(np.repeat(np.arange(400), 3))
    values = pd.Series(generator.normal(size=400)[families] + generator.normal(size=1200))
    alike_within = function("alike_within")
    in_columns = values.to_numpy().reshape(400, 3)
    pairs = np.mean(
        [np.corrcoef(in_columns[:, a], in_columns[:, b])[0, 1] for a, b in ((0, 1), (0, 2), (1, 2))]
    )
    assert alike_within(values, families) == pytest.approx(pairs, abs=0.02)
    assert alike_within(values, generator.permutation(families)) == pytest.approx(0, abs=0.06)


def function(name: str):
    """A function of the chapter, which needs nothing but numpy and pandas."""
    source = (fake_tables.Path(__file__).parent.parent / "notebooks/10_languages.py").read_text()
    start = source.index(f"def {name}(")
    names = {"np": np, "pd": pd}
    exec(source[start : source.index("# %%", start)], names)
    return names[name]


def test_tokens_are_counted_as_multiples_of_those_of_english(chapter, tables):
    rows = chapter["with_tokens"](chapter["at_best"].query("model == 'gemma-3-270m'")).set_index("language")
    counted = tables["tokens"].query("model_id == 'pypi/gemma-3-270m' and revision == 'main'")
    of = counted.groupby("language").measured_tokens.sum()
    assert 2 ** rows["twice the tokens"]["fra_Latn"] == pytest.approx(of["fra_Latn"] / of["eng_Latn"])
    per_byte = of["fra_Latn"] / (100 * N_PARAGRAPHS)
    assert 2 ** rows["twice the tokens per byte"]["fra_Latn"] == pytest.approx(per_byte)


def test_more_tokens_go_with_less_found_where_that_was_planted(chapter):
    fits = chapter["fits"].query("term == 'twice the tokens'")
    assert (fits.high < 1).all() and {"alone", "all together", "without speakers"} <= set(fits.fit)
    nothing = chapter["fits"].query("term == 'ten times the speakers' and fit == 'all together'")
    assert ((nothing.low < 1) & (nothing.high > 1)).all()


def test_families_are_compared_language_by_language(chapter):
    rows = {row["family"]: row for row in chapter["between_models"]("gemma-3-270m", "smollm2-135m")}
    wide = chapter["at_best"].pivot(index=["family", "language"], columns="model", values="found")
    mayan = (wide["gemma-3-270m"] - wide["smollm2-135m"])["Mayan"]
    low, high = stats.t.interval(0.95, len(mayan) - 1, mayan.mean(), stats.sem(mayan))
    assert (rows["Mayan"]["low"], rows["Mayan"]["high"]) == pytest.approx((low, high))
    assert np.isnan(rows["Basque"]["low"])


# ---- what is missing -------------------------------------------------------------------------------------


def test_without_tables_the_chapter_says_that_nothing_was_measured(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr("IPython.display.display", told.append)
    names = run_chapter(tmp_path)
    assert names["models"] == [] and told == []
    assert names["shown"](lambda: None, names["reach"]).data.startswith("Not measured")


def test_a_model_without_its_untrained_twin_is_left_out(chapter, monkeypatch):
    has_twin = chapter["retrieval"].model == "gemma-3-270m"
    alone = chapter["retrieval"][has_twin | (chapter["retrieval"].revision == "main")]
    monkeypatch.setitem(chapter, "retrieval", alone)
    assert list(chapter["beside_twin"]("eng_Latn").model.unique()) == ["gemma-3-270m"]


def test_without_token_counts_only_what_needs_them_is_missing(tmp_path, tables, monkeypatch):
    monkeypatch.setattr("IPython.display.display", lambda chart: None)
    one_model = tables["retrieval"].query("model_id == 'pypi/gemma-3-270m' and layer in ('2', '3')")
    names = run_chapter(publish(tmp_path / "published", retrieval=one_model))
    assert len(names["reach"]) and not len(names["fits"])


# ---- charts ----------------------------------------------------------------------------------------------


def of_gemma(chapter) -> pd.DataFrame:
    return chapter["reach"].query("model == 'gemma-3-270m'")


CHARTS = {
    "world_map": lambda chapter: draw.world_map(of_gemma(chapter), "3", "Gemma"),
    "strip": lambda chapter: draw.strip(of_gemma(chapter), "Gemma"),
    "language_by_language": lambda chapter: draw.language_by_language(chapter["at_best"]),
    "odds": lambda chapter: draw.odds(chapter["fits"]),
    "against": lambda chapter: draw.against(
        chapter["at_best"].query("model == 'gemma-3-270m'"), "found", "twin", "model", "twin", "Both"
    ),
    "differences": lambda chapter: draw.differences(
        pd.DataFrame(chapter["between_models"]("gemma-3-270m", "smollm2-135m")), ["Gemma", "SmolLM2"]
    ),
}


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_of_hundreds_of_languages_is_small_described_and_compiles(chapter, name):
    chart = CHARTS[name](chapter)
    assert 0 < max(map(len, data_sets(chart))) <= MAX_ROWS
    assert len(chart.to_dict()["description"]) > 40 and chart.to_dict()["title"]
    assert vl_convert.vegalite_to_vega(chart.to_dict(), vl_version="6.4")["marks"]
    assert len(json.dumps(chart.to_dict(), separators=(",", ":"))) < 450_000


def n_placed(chapter) -> int:
    """How many of the chapter's languages have a place."""
    languages = of_gemma(chapter).language.unique()
    return sum(get_language(code).latitude is not None for code in languages)


def test_the_map_has_a_dot_for_every_language_that_has_a_place(chapter):
    dots = rows_of(CHARTS["world_map"](chapter)).set_index("language")
    assert len(dots) == n_placed(chapter) and "epo_Latn" not in dots.index
    reach = of_gemma(chapter).query("language == 'fra_Latn'").set_index("layer")
    assert [at[0] for at in dots.found_at["fra_Latn"]] == pytest.approx(list(reach.found))
    assert [at[0] for at in dots.above_at["fra_Latn"]] == list(reach.above)


def test_the_map_opens_at_the_layer_that_is_asked_for(chapter):
    parameters = {part["name"]: part["value"] for part in CHARTS["world_map"](chapter).to_dict()["params"]}
    assert parameters["layer_at"] == 3


def test_the_map_draws_the_land_and_does_without_it(chapter, monkeypatch):
    assert any("topojson" in str(data) for data in found(CHARTS["world_map"](chapter), "format"))
    monkeypatch.setattr(draw, "find_spec", lambda name: None)
    chart = CHARTS["world_map"](chapter)
    assert "topojson" not in fields(chart) and len(rows_of(chart)) == n_placed(chapter)


def test_families_of_few_languages_are_one_group_in_the_end():
    families = pd.Series(["Turkic"] * 5 + ["Basque"] + ["Uralic"] * 7 + ["Mande"] * 4)
    groups = draw.family_groups(families)
    assert list(groups.cat.categories) == ["Uralic", "Turkic", draw.OTHERS]
    assert (groups == draw.OTHERS).sum() == 5


def test_groups_of_families_have_the_colours_of_families(chapter):
    colour = next(part for part in found(CHARTS["against"](chapter), "color") if "scale" in part)
    shown = dict(zip(colour["scale"]["domain"], colour["scale"]["range"], strict=True))
    assert shown["Turkic"] == theme.family_colours(["Turkic"])["Turkic"]
    assert shown[draw.OTHERS] == theme.BASELINE
