"""Charts of very many languages: none refuses them, none holds too many rows, and all are found again."""

from pathlib import Path

import fake_tables
import pandas as pd
import pytest
import vl_convert
from specification import data_sets, fields, rows_of
from test_charts import corpus

from lingua_utils.charts import ablation, activations, evolution, lab, regions, similarity, tasks, theme
from lingua_utils.charts import corpus as corpus_charts
from lingua_utils.charts.parts import LARGEST, MAX_ROWS
from lingua_utils.text import languages

TABLE = Path(languages.__file__).with_name("languages.csv")
MANY = [code for code in pd.read_csv(TABLE).code if languages.is_language(code)]
STEPS = (0, 8)
SOME = MANY[::37]


def overlap():
    table = fake_tables.region_overlap(["eng_Latn", *MANY[1:3]])
    one = table[(table.source == MANY[1]) & (table.target == "eng_Latn")]
    return stretched(one, ("eng_Latn", "family", "others"))


def stretched(one, targets):
    """The rows of one pair of languages, for every language and target."""
    pairs = fake_tables.grid(source=MANY, target=targets)
    return one.drop(columns=["source", "target"]).merge(pairs, how="cross")


def cosines():
    one = fake_tables.cosines(STEPS, ["eng_Latn", "fra_Latn"]).query(
        "source != target and source == 'fra_Latn'"
    )
    return stretched(one, ("eng_Latn", "family", "others"))


def retrieval():
    one = fake_tables.retrieval(steps=STEPS, languages=["eng_Latn", "fra_Latn"]).query("source == 'fra_Latn'")
    return stretched(one, ("eng_Latn", "others"))


def silenced(table):
    """Some languages' regions silenced, on text in very many."""
    one = table(SOME[:2])
    one = one[one.region_language != one.text_language]
    one = one.drop_duplicates([name for name in ("rule", "control_kind") if name in one])
    pairs = fake_tables.grid(region_language=SOME, text_language=MANY)
    return one.drop(columns=["region_language", "text_language"]).merge(pairs, how="cross")


CHARTS = {
    "loss_by_language": lambda: lab.loss_by_language(fake_tables.losses(MANY)),
    "tokens_by_language": lambda: activations.tokens_by_language(fake_tables.tokens(MANY)),
    "activity_by_layer": lambda: activations.activity_by_layer(fake_tables.activity(MANY)),
    "retrieval_map": lambda: similarity.retrieval_map(retrieval()),
    "retrieval_map of every pair": lambda: similarity.retrieval_map(
        fake_tables.retrieval(steps=(8,), languages=MANY[:60])
    ),
    "mean_cosines": lambda: similarity.mean_cosines(cosines()),
    "mean_cosines of every pair": lambda: similarity.mean_cosines(fake_tables.cosines((8,), MANY[:60])),
    "region_atlas": lambda: regions.region_atlas(fake_tables.region_counts(steps=STEPS, languages=MANY)),
    "concentration": lambda: regions.concentration(fake_tables.region_concentration(MANY)),
    "region_overlap": lambda: regions.region_overlap(overlap()),
    "region_overlap of every pair": lambda: regions.region_overlap(fake_tables.region_overlap(MANY[:60])),
    "region_agreement": lambda: regions.region_agreement(fake_tables.region_agreement(MANY)),
    "silencing_matrix": lambda: ablation.silencing_matrix(silenced(fake_tables.silencing)),
    "perplexity_matrix": lambda: ablation.perplexity_matrix(silenced(fake_tables.perplexity)),
    "selectivity": lambda: ablation.selectivity(fake_tables.selectivity(MANY)),
    "dose_response": lambda: ablation.dose_response(fake_tables.dose(MANY)),
    "selectivity_by_step": lambda: evolution.selectivity_by_step(fake_tables.selectivity_by_step(MANY)),
    "sentence_map": lambda: evolution.sentence_map(
        fake_tables.projection(STEPS, languages=MANY, n_sentences=5)
    ),
    "retrieval_by_step": lambda: evolution.retrieval_by_step(retrieval()),
    "accuracy_by_language": lambda: tasks.accuracy_by_language(fake_tables.accuracy(MANY)),
    "accuracy_by_direction": lambda: tasks.accuracy_by_direction(fake_tables.directions(MANY[:60])),
}


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_of_very_many_languages_stays_small_and_is_drawn(name):
    chart = CHARTS[name]()
    assert 0 < max(map(len, data_sets(chart))) <= MAX_ROWS
    assert vl_convert.vegalite_to_svg(chart.to_dict(), vl_version="6.4").startswith("<svg")


@pytest.mark.parametrize(
    "name", ["activity_by_layer", "retrieval_map", "mean_cosines", "region_atlas", "region_overlap"]
)
def test_strips_hold_every_language_and_the_mean_of_every_family(name):
    rows = rows_of(CHARTS[name]())
    alone = rows[rows.shown == "languages"]
    assert alone.label.nunique() == alone.words.nunique() == len(MANY) > 300
    families = {theme.family(code) for code in MANY}
    assert rows[rows.shown == "families"].label.nunique() == len(families)


def test_a_family_has_the_mean_of_its_languages_in_each_layer():
    table = fake_tables.activity(MANY)
    table["share_positive"] = fake_tables.number(table.language) / len(MANY)
    rows = rows_of(activations.activity_by_layer(table)).set_index("label").share_positive_at
    own = table[table.language.map(theme.family) == "Uralic"]
    label = f"Uralic ({own.language.nunique()})"
    expected = own.groupby("layer_index").share_positive.mean()
    assert [steps[0] for steps in rows[label]] == pytest.approx(list(expected), abs=1e-3)


def test_strips_can_be_searched_by_name_code_or_family():
    chart = CHARTS["activity_by_layer"]()
    bound = {parameter["name"]: parameter.get("bind", {}) for parameter in chart.to_dict()["params"]}
    assert bound["search"]["input"] == "search"
    assert bound["shown_rows"]["options"] == ["families", "languages"]
    words = rows_of(chart).query("label == 'Hindi'").words.iloc[0]
    assert all(word in words for word in ("hindi", "hin_deva", "indo-european"))
    assert "indexof(datum.words, lower(search))" in fields(chart)


def test_very_many_languages_have_the_colours_of_their_families():
    scale = theme.language_scale(MANY)
    assert len(scale.domain) == len({theme.family(code) for code in MANY})
    assert theme.language_scale(MANY[:30]).domain == [theme.language_name(code) for code in MANY[:30]]


def test_of_very_many_languages_a_region_keeps_its_own_apart_from_its_family():
    chart = ablation.perplexity_matrix(silenced(fake_tables.perplexity))
    rows = rows_of(chart).query("rule == 'ap'")
    assert len(rows[rows.text_language == "its own"]) == len(SOME)
    assert rows.text_language.nunique() == LARGEST + 2  # and all other families together


def test_the_map_of_very_many_languages_shows_some_of_all_families():
    rows = rows_of(CHARTS["sentence_map"]())
    assert rows.language.nunique() == theme.MANY


def test_side_by_side_very_many_languages_stand_under_their_families():
    text = corpus()
    text.languages, text.texts = MANY, (("hello",) * 20,) * len(MANY)
    page = corpus_charts.side_by_side(text, [0])._repr_html_()
    assert page.count("scope='rowgroup'") == len({theme.family(code) for code in MANY})
    assert page.count("hello") == len(MANY)
