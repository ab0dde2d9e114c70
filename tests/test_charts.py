"""Charts: what is drawn is what the table says, beside its baseline, and no text becomes markup."""

import json
import re
from types import SimpleNamespace

import altair as alt
import fake_tables
import numpy as np
import pandas as pd
import pytest
import vl_convert
from fake_tables import MODELS
from specification import data_sets, fields, found, parts, rows_of

from lingua_utils.charts import (
    ablation,
    activations,
    evolution,
    front,
    lab,
    neurons,
    regions,
    scaling,
    similarity,
    tasks,
    theme,
)
from lingua_utils.charts import corpus as corpus_charts
from lingua_utils.charts import parts as chart_parts
from lingua_utils.charts.parts import MAX_ROWS, SliderTable, wrapped
from lingua_utils.text.languages import DEFAULT_LANGUAGES, LANGUAGES

HOSTILE = "</script><img src=x onerror=alert(1)> & 'quoted' \"text\""


def corpus(text: str = "a sentence", n_sentences: int = 20) -> SimpleNamespace:
    """Stands for a ParallelCorpus whose every sentence is one text."""
    return SimpleNamespace(
        languages=DEFAULT_LANGUAGES,
        texts=tuple((text,) * n_sentences for _ in DEFAULT_LANGUAGES),
        n_sentences=n_sentences,
        kinds=("bridged",) * n_sentences,
    )


def titled(table: pd.DataFrame) -> alt.HConcatChart:
    """The figure of the first page, whose title is given."""
    return front.real_beside_lab(table, "Meaning rises toward the middle")


def finished_retrieval() -> pd.DataFrame:
    return fake_tables.finished(fake_tables.retrieval)


# Every chart, the table that it draws and a column that it cannot do without.
CHARTS = {
    "loss_by_language": (lab.loss_by_language, fake_tables.losses, "bits_per_byte"),
    "tokens_by_language": (activations.tokens_by_language, fake_tables.tokens, "tokens"),
    "activity_by_layer": (activations.activity_by_layer, fake_tables.activity, "share_positive"),
    "found_by_tokens": (activations.found_by_tokens, fake_tables.shared_tokens, "found_low"),
    "scores_by_layer": (
        similarity.scores_by_layer,
        lambda: fake_tables.similarity(steps=(8,)),
        "sads_null",
    ),
    "scores_by_scale": (
        lambda table: similarity.scores_by_scale(fake_tables.similarity(steps=(8,)), table),
        fake_tables.scales,
        "top_three",
    ),
    "variance_shares": (similarity.variance_shares, fake_tables.variance, "rest"),
    "variance_shares of one run": (
        similarity.variance_shares,
        lambda: fake_tables.variance(steps=(8,)).drop(columns="step"),
        "rest",
    ),
    "retrieval_map": (similarity.retrieval_map, fake_tables.retrieval, "chance"),
    "mean_cosines": (similarity.mean_cosines, fake_tables.cosines, "same_meaning"),
    "null_shares": (regions.null_shares, fake_tables.region_null, "share_shuffled"),
    "region_atlas": (regions.region_atlas, fake_tables.region_counts, "expected"),
    "region_atlas of one run": (
        regions.region_atlas,
        lambda: fake_tables.region_counts(steps=(8,)).drop(columns=["model_id", "step"]),
        "expected",
    ),
    "concentration": (regions.concentration, fake_tables.region_concentration, "uniform"),
    "region_overlap": (regions.region_overlap, fake_tables.region_overlap, "chance"),
    "region_agreement": (regions.region_agreement, fake_tables.region_agreement, "chance"),
    "silencing_matrix": (ablation.silencing_matrix, fake_tables.silencing, "control_mean"),
    "perplexity_matrix": (ablation.perplexity_matrix, fake_tables.perplexity, "control_low"),
    "selectivity": (ablation.selectivity, fake_tables.selectivity, "difference_low"),
    "dose_response": (ablation.dose_response, fake_tables.dose, "others"),
    "accuracy_by_language": (tasks.accuracy_by_language, fake_tables.accuracy, "chance"),
    "accuracy_by_direction": (tasks.accuracy_by_direction, fake_tables.directions, "n_items"),
    "accuracy_silenced": (tasks.accuracy_silenced, fake_tables.tasks, "change"),
    "scores_by_step": (evolution.scores_by_step, fake_tables.similarity, "lrds_null"),
    "scores_by_step of two models": (
        evolution.scores_by_step,
        lambda: fake_tables.similarity(MODELS),
        "model_id",
    ),
    "layer_step_map": (evolution.layer_step_map, lambda: fake_tables.similarity(MODELS), "scale"),
    "retrieval_by_step": (evolution.retrieval_by_step, fake_tables.retrieval, "chance"),
    "retrieval_by_step of two models": (
        evolution.retrieval_by_step,
        lambda: fake_tables.retrieval(MODELS),
        "step",
    ),
    "sentence_map": (
        lambda table: evolution.sentence_map(table, corpus()),
        fake_tables.projection,
        "sentence",
    ),
    "region_size_by_step": (evolution.region_size_by_step, fake_tables.region_counts, "model_id"),
    "region_size_by_step of two models": (
        evolution.region_size_by_step,
        lambda: fake_tables.region_counts(MODELS),
        "expected",
    ),
    "accuracy_against_sads": (evolution.accuracy_against_sads, fake_tables.task_points, "low"),
    "models_side_by_side": (evolution.models_side_by_side, fake_tables.outcomes, "null"),
    "sads_above_limit": (
        evolution.sads_above_limit,
        lambda: fake_tables.similarity().query("kind == 'all' and scale == 'standardised'"),
        "sads_null_limit",
    ),
    "selectivity_by_step": (evolution.selectivity_by_step, fake_tables.selectivity_by_step, "control"),
    "real_beside_lab": (titled, fake_tables.front, "part"),
    "real_beside_lab without a real model": (
        titled,
        lambda: fake_tables.front().query("part == 'lab'"),
        "step",
    ),
    "beside_twin": (scaling.beside_twin, fake_tables.beside_twin, "gain_low"),
    "scores_by_model": (scaling.scores_by_model, fake_tables.finished, "sads_null"),
    "scores_by_depth": (scaling.scores_by_depth, fake_tables.finished, "layer_index"),
    "scores_against_size": (scaling.scores_against_size, fake_tables.finished, "n_parameters"),
    "driven": (lambda table: neurons.driven(table, 10), fake_tables.neurons, "chance"),
    "neuron costs": (neurons.costs, fake_tables.neuron_costs, "control_low"),
    "retrieval_by_depth": (scaling.retrieval_by_depth, finished_retrieval, "chance"),
}


def drawn(name: str) -> alt.TopLevelMixin:
    draw, table, _ = CHARTS[name]
    return draw(table())


@pytest.fixture(scope="module", params=CHARTS)
def chart(request) -> alt.TopLevelMixin:
    return drawn(request.param)


def test_every_chart_has_a_title_and_a_description_for_screen_readers(chart):
    specification = chart.to_dict()
    assert specification["title"]
    assert len(specification["description"]) > 20


def test_no_chart_holds_more_rows_than_allowed(chart):
    assert 0 < max(map(len, data_sets(chart))) <= MAX_ROWS


def test_every_chart_compiles_to_vega(chart):
    assert vl_convert.vegalite_to_vega(chart.to_dict(), vl_version="6.4")["marks"]


@pytest.mark.parametrize("name", CHARTS)
def test_a_missing_column_is_named(name):
    draw, table, column = CHARTS[name]
    with pytest.raises(ValueError, match=f"no column '{column}'"):
        draw(table().drop(columns=column))


@pytest.mark.parametrize("name", ["scores_by_step", "scores_by_layer", "scores_by_depth", "scores_by_model"])
def test_scores_are_drawn_with_intervals_above_their_null(name):
    shown = fields(drawn(name))
    assert all(f'"field": "{column}"' in shown for column in ("low", "high", "null", "null_low", "null_high"))


def test_scores_by_layer_offer_every_scale_standardised_first():
    chart = drawn("scores_by_layer")
    (scale,) = (p for p in chart.to_dict()["params"] if p["name"] == "chosen_scale")
    assert scale["value"] == "standardised"
    assert set(scale["bind"]["options"]) == set(fake_tables.SCALES)
    assert set(rows_of(chart).scale) == set(fake_tables.SCALES)


def test_limits_for_all_layers_are_drawn_where_there_are_any():
    table = fake_tables.similarity(steps=(8,))
    unlimited = table.drop(columns=["lrds_null_limit", "sads_null_limit"])
    assert '"field": "limit"' in fields(similarity.scores_by_layer(table))
    assert '"field": "limit"' not in fields(similarity.scores_by_layer(unlimited))


def test_the_variance_of_three_neurons_is_drawn_once_beside_three_scales():
    panels = drawn("scores_by_scale").hconcat
    shown = {str(panel.title): pd.DataFrame(data_sets(panel)[0]).scale.nunique() for panel in panels}
    assert shown == {
        "SADS · same meaning": 3,
        "translations found": 3,
        "variance in three neurons": 1,
    }


def test_scores_by_step_shows_the_table_and_nothing_else():
    table = fake_tables.similarity()
    rows = rows_of(evolution.scores_by_step(table))
    shown = rows[(rows.score == "SADS · same meaning") & (rows.kind == "bridged")].set_index("step").value
    wanted = table.query("layer == 'all' and kind == 'bridged' and scale == 'raw'").set_index("step").sads
    np.testing.assert_allclose(shown.to_numpy(), wanted.to_numpy(dtype=float), atol=5e-5)


def test_an_unknown_scale_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match="no scale 'squared'; there are centred, raw"):
        evolution.scores_by_step(fake_tables.similarity(), scale="squared")


def test_the_step_axis_has_room_for_step_zero():
    x = drawn("scores_by_step").to_dict()["layer"][-1]["layer"][-1]["encoding"]["x"]
    assert x["scale"]["type"] == "symlog"
    assert x["axis"]["values"] == list(fake_tables.STEPS)


def test_several_models_get_a_panel_for_each_score():
    assert drawn("scores_by_step of two models").to_dict()["facet"]["field"] == "score"


@pytest.mark.parametrize(
    "name", ["scores_by_step of two models", "dose_response", "silencing_matrix", "perplexity_matrix"]
)
def test_panels_can_stand_below_one_another_in_a_narrow_window(name):
    specification = drawn(name).to_dict()
    assert "/layout/columns" in [
        patch["path"] for patch in specification["usermeta"]["embedOptions"]["patch"]
    ]
    vega = vl_convert.vegalite_to_vega(specification, vl_version="6.4")
    del vega["title"]  # its lines are broken by a window, which there is none here
    widths = []
    for columns in (1, 2):
        vega["layout"]["columns"] = columns
        widths.append(float(re.search(r'<svg[^>]* width="([\d.]+)', vl_convert.vega_to_svg(vega))[1]))
    assert widths[0] < 0.7 * widths[1]


def test_retrieval_is_drawn_beside_chance():
    assert '"field": "chance"' in fields(drawn("retrieval_by_step"))
    assert '"field": "chance"' in fields(drawn("retrieval_by_depth"))
    assert "chance 1.0%" in fields(drawn("retrieval_map"))


def test_small_differences_of_activity_do_not_fill_the_chart():
    table = fake_tables.activity()
    table.share_positive = 0.5 + 0.01 * (table.layer == "1")
    domains = [
        part["domain"] for part in found(activations.activity_by_layer(table), "scale") if "domain" in part
    ]
    assert [0.455, 0.555] in [[round(end, 3) for end in d] for d in domains if len(d) == 2]


def test_retrieval_by_step_stands_on_what_the_untrained_model_finds():
    rows = rows_of(drawn("retrieval_by_step")).set_index(["layer", "kind", "step"])
    assert rows.untrained["1", "all", 600] == rows.accuracy["1", "all", 0]
    assert '"field": "untrained"' in fields(drawn("retrieval_by_step"))


def test_retrieval_by_step_opens_with_the_model_asked_for():
    chart = evolution.retrieval_by_step(fake_tables.retrieval(MODELS), model=MODELS[1])
    [chosen] = [p for p in chart.to_dict()["params"] if p["name"] == "chosen_model"]
    assert chosen["value"] == "bloom-m-monolingual"


def test_retrieval_by_step_is_the_mean_over_language_pairs():
    one = "step == 600 and layer == '1' and kind == 'all'"
    shown = rows_of(drawn("retrieval_by_step")).query(one).accuracy.item()
    assert shown == pytest.approx(fake_tables.retrieval().query(one).accuracy.mean(), abs=1e-4)


def test_loss_is_drawn_beside_a_uniform_guess_when_it_is_known():
    assert "uniform guess: 8.30" in fields(lab.loss_by_language(fake_tables.losses(), "loss", chance=8.3))


def test_the_layer_step_map_has_a_colour_scale_for_each_score():
    assert drawn("layer_step_map").to_dict()["resolve"]["scale"]["color"] == "independent"


def test_a_list_of_sentences_is_offered_only_where_there_are_kinds():
    table = fake_tables.similarity()
    assert "chosen_kind" in fields(evolution.scores_by_step(table))
    assert "chosen_kind" not in fields(evolution.scores_by_step(table[table.kind == "all"]))


def test_the_sentence_map_holds_every_point_at_every_layer_and_step():
    table = fake_tables.projection()
    chart = evolution.sentence_map(table)
    records = max(data_sets(chart), key=len)
    assert len(records) == 10 * 20
    name = theme.language_name("fra_Latn")
    record = next(r for r in records if r["language"] == name and r["sentence"] == 7)
    points = table.set_index(["language", "sentence", "layer", "step"])[["x", "y"]]
    for layer, index in (("all", 0), ("2", 3)):
        for at, step in enumerate(fake_tables.STEPS):
            extent = points.xs((layer, step), level=("layer", "step")).abs().to_numpy().max()
            wanted = points.x["fra_Latn", 7, layer, step] / extent
            assert record["x_at"][index][at] == pytest.approx(wanted, abs=5e-4)
    parameters = {parameter["name"] for parameter in chart.to_dict()["params"]}
    assert parameters >= {"step_at", "layer_at", "colour_by"}


def test_the_sentence_map_opens_where_translations_lie_nearest():
    table = fake_tables.projection()
    met = (table.layer == "1") & (table.step == 128)
    centres = table[met].groupby("sentence")[["x", "y"]].transform("mean")
    table.loc[met, ["x", "y"]] = centres
    parameters = {p["name"]: p.get("value") for p in evolution.sentence_map(table).to_dict()["params"]}
    assert parameters["layer_at"] == 2 and parameters["step_at"] == fake_tables.STEPS.index(128)
    assert evolution.nearness(table[met]) == pytest.approx(0)


def test_translations_lie_as_far_apart_as_any_sentences_where_meaning_plays_no_part():
    table = fake_tables.projection(steps=(0,), layers=(("0", 0),), n_sentences=300)
    table[["x", "y"]] = np.random.default_rng(0).normal(size=(len(table), 2))
    assert evolution.nearness(table) == pytest.approx(1, abs=0.05)


def test_ten_sentences_evenly_taken_have_a_colour_and_the_first_is_marked():
    chart = json.dumps(evolution.sentence_map(fake_tables.projection(n_sentences=40)).to_dict())
    assert str([0, 4, 8, 13, 17, 21, 26, 30, 34, 39]) in chart
    assert '"value": [{"sentence": 0}]' in chart


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one two three", ["one two", "three"]),
        ("one two three four five", ["one two", "three …"]),
        ("柬埔寨、柬埔寨", ["柬埔寨、", "柬埔寨"]),
        ("", [""]),
    ],
)
def test_a_text_is_wrapped_by_words_and_han_characters_each_line_in_its_own_direction(text, lines):
    assert wrapped(text, 8, 2) == [f"\u2068{line}\u2069" for line in lines]


def test_the_sentence_map_of_a_full_lab_stays_small():
    steps = tuple(2**power for power in range(12))
    layers = [("all", -1), *((str(number), number) for number in range(6))]
    table = fake_tables.projection(steps=steps, layers=layers, n_sentences=40)
    assert len(json.dumps(evolution.sentence_map(table, corpus(n_sentences=40)).to_dict())) < 700_000


def packed(table: pd.DataFrame) -> SliderTable:
    return SliderTable.pack(table, ["language", "sentence"], ["x"])


def test_a_slider_table_leaves_out_what_was_not_measured():
    table = packed(fake_tables.projection(steps=(0, 8)).query("not (step == 8 and layer == '1')"))
    at = table.layers.index("1")
    assert table.records[0]["x_at"][at][1] is None
    assert table.records[0]["x_at"][at][0] is not None


def test_a_slider_table_puts_a_final_model_without_a_step_last():
    final = fake_tables.projection(steps=(0,)).assign(step=pd.NA)
    table = pd.concat([final, fake_tables.projection(steps=(8,))]).astype({"step": "Int64"})
    assert packed(table).steps == [8, None]


def test_a_slider_table_refuses_two_rows_for_one_place():
    with pytest.raises(ValueError, match="several rows"):
        packed(pd.concat([fake_tables.projection()] * 2))


def test_too_many_rows_are_refused_with_their_number():
    table = fake_tables.similarity(tuple(f"lab/{number}" for number in range(150)))
    with pytest.raises(ValueError, match=r"5,400 rows .*at most 5,000"):
        evolution.scores_by_step(table)


@pytest.mark.parametrize(
    ("draw", "table"),
    [
        (evolution.scores_by_step, fake_tables.similarity),
        (evolution.region_size_by_step, fake_tables.region_counts),
    ],
)
def test_a_table_without_steps_cannot_be_drawn_against_them(draw, table):
    with pytest.raises(ValueError, match="no row has a training step"):
        draw(table().assign(step=pd.NA))


def test_an_unknown_layer_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match=r"no layer '9'; there are all, 0, 1, 2"):
        evolution.sentence_map(fake_tables.projection(), layer="9")


def test_of_a_model_with_checkpoints_the_last_one_stands_beside_others():
    table = pd.concat([fake_tables.similarity(), fake_tables.finished()])
    rows = rows_of(scaling.scores_by_model(table)).query("kind == 'all' and score == 'SADS · same meaning'")
    last = table.query("step == 1200 and layer == 'all' and kind == 'all' and scale == 'raw'").sads.item()
    assert rows.set_index("model").value["bloom-m"] == pytest.approx(last, abs=5e-5)
    assert len(rows) == 4


def test_two_runs_of_one_model_are_refused_with_its_name():
    with pytest.raises(ValueError, match="several rows for org/small"):
        scaling.scores_by_depth(pd.concat([fake_tables.finished()] * 2))


def test_trainings_of_one_model_are_lines_of_their_own_in_its_colour():
    table = pd.concat([fake_tables.finished().assign(training_seed=seed) for seed in (0, 1)])
    chart = scaling.scores_by_depth(table)
    rows = rows_of(chart).query("model == 'org/small' and score == 'SADS · same meaning'")
    assert rows.groupby("training_seed").size().tolist() == [3, 3]
    details = [part["detail"] for part in parts(chart.to_dict()) if "detail" in part]
    assert details and all("training_seed" in json.dumps(detail) for detail in details)


def test_the_first_figure_has_a_column_for_each_part_that_there_is():
    def shown(table):
        return [column.title.text for column in titled(table).hconcat]

    table = fake_tables.front()
    assert shown(table) == ["real, a real model, layer by layer", "bloom-m, trained here, step by step"]
    assert shown(table[table.part == "real"]) == ["real, a real model, layer by layer"]


def test_both_parts_of_the_first_figure_have_one_scale_for_each_measure():
    columns = titled(fake_tables.front()).to_dict()["hconcat"]
    panels = [[panel["layer"][-1]["encoding"]["y"] for panel in column["vconcat"]] for column in columns]
    domains = [[y["scale"]["domain"] for y in column] for column in panels]
    assert domains[0] == domains[1]
    assert [high for _, high in domains[0]] == pytest.approx([0.41, 0.91, 0.41])


def test_a_score_less_its_twin_stands_beside_the_score_with_the_twin_at_zero():
    rows = rows_of(scaling.beside_twin(fake_tables.beside_twin()))
    rows = rows[rows.measure == "SADS"].set_index(["model", "shown"])
    assert rows.value.round(3).to_dict() == {
        ("alone", "as measured"): 0.2,
        ("real", "as measured"): 0.3,
        ("real", "less its untrained twin"): 0.2,
    }
    assert rows.of_twin[("real", "as measured")] == pytest.approx(0.1)
    assert rows.of_twin[("real", "less its untrained twin")] == 0


def test_a_mean_over_trainings_is_shown_where_all_were_measured():
    table = fake_tables.outcomes()
    table = table[(table.training_seed == 0) | table.step.isin((0, 1200))]
    rows = rows_of(evolution.models_side_by_side(table))
    assert sorted(set(rows.step)) == [0, 1200] and set(rows.seeds) == {2}


def test_depth_runs_from_zero_to_one_in_every_model_and_stack():
    deep = fake_tables.finished(layers=fake_tables.PAIRED_LAYERS).query("model_id == 'org/large'")
    shallow = fake_tables.finished().query("model_id == 'org/small'")
    rows = rows_of(scaling.scores_by_depth(pd.concat([deep, shallow])))
    depths = rows.groupby("model").depth.agg(["min", "max", "nunique"])
    assert depths.index.tolist() == ["org/large · decoder", "org/large · encoder", "org/small"]
    assert depths["min"].eq(0).all() and depths["max"].eq(1).all()
    assert depths["nunique"].tolist() == [3, 12, 3]


def test_a_model_of_unknown_size_is_left_out_and_one_of_unknown_type_is_not():
    table = fake_tables.finished()
    table.loc[table.model_id == "org/small", "n_parameters"] = np.nan
    rows = rows_of(scaling.scores_against_size(table.drop(columns="model_type")))
    assert set(rows.model) == {"org/large", "org/other"}
    assert set(rows.model_type) == {"unknown"}


def test_models_without_sizes_cannot_be_drawn_against_them():
    with pytest.raises(ValueError, match="no model has a number of parameters"):
        scaling.scores_against_size(fake_tables.finished().assign(n_parameters=np.nan))


def test_a_text_cannot_end_the_script_that_holds_a_chart():
    theme.use()
    page = evolution.sentence_map(fake_tables.projection(), corpus(HOSTILE))._repr_mimebundle_()["text/html"]
    assert page.count("</script>") == 1
    assert "<img" not in page


def test_side_by_side_shows_every_language_in_its_own_direction():
    page = corpus_charts.side_by_side(corpus())._repr_html_()
    assert page.count("<td") == 4 * len(DEFAULT_LANGUAGES)
    assert "<td lang='ar' dir='rtl'>" in page
    assert "<td lang='zh-Hans' dir='ltr'>" in page
    assert page.count("<details open>") == 1


def test_a_table_in_a_page_names_its_columns_once():
    theme.use()
    rows = pd.DataFrame({"a_long_name": range(100), "another": "</script>"})
    page = alt.Chart(rows).mark_point().encode(x="a_long_name")._repr_mimebundle_()["text/html"]
    assert page.count("a_long_name") == 2
    assert page.count("</script>") == page.count("<script")


def test_side_by_side_shows_markup_as_text():
    page = corpus_charts.side_by_side(corpus(HOSTILE))._repr_html_()
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; &#x27;quoted&#x27;" in page


def test_side_by_side_refuses_a_sentence_that_is_not_there():
    with pytest.raises(ValueError, match="no sentence 20; the corpus has 20"):
        corpus_charts.side_by_side(corpus(), [0, 20])


def test_a_language_has_one_colour_whoever_stands_beside_it():
    alone = {code: theme.language_colours([code])[code] for code in LANGUAGES}
    assert theme.language_colours(reversed(LANGUAGES)) == alone
    assert theme.language_colours(["an invented one"]) == theme.language_colours(["an invented one"])


def test_the_default_languages_have_ten_different_colours():
    assert len(set(theme.language_colours(DEFAULT_LANGUAGES).values())) == len(DEFAULT_LANGUAGES)


FAMILIES = sorted({language.family for language in LANGUAGES.values()})


def test_a_family_has_one_colour_whoever_stands_beside_it():
    alone = {family: theme.family_colours([family])[family] for family in FAMILIES}
    assert theme.family_colours(reversed(FAMILIES)) == alone and len(FAMILIES) > 10


def test_the_largest_families_have_colours_of_their_own():
    largest = theme.family_colours(["Indo-European", "Atlantic-Congo", "Austronesian", "Turkic", "Uralic"])
    assert len(set(largest.values())) == 5
    assert set(largest.values()).isdisjoint(theme.family_colours(set(FAMILIES) - set(largest)).values())


def test_any_number_of_names_gets_as_many_colours():
    names = [*theme.RULES, *(f"rule {number}" for number in range(20))]
    scale = theme.series_scale(names)
    assert len(set(scale.range)) == len(names)
    assert scale.range[: len(theme.RULES)] == list(theme.RULES.values())


def lightness(colour: str) -> float:
    return theme.relative_luminance(tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)))


def test_the_default_languages_are_not_too_dark_for_the_dark_theme():
    for colour in theme.language_colours(DEFAULT_LANGUAGES).values():
        assert (lightness(colour) + 0.05) / (0.006 + 0.05) >= 3.8, colour


def test_the_first_and_the_last_tick_have_a_label_and_labels_have_room():
    steps = pd.Series([0, 16, 32, 64, 100, 200, 300, 400, 600, 800])
    axis = chart_parts.step_axis(steps).to_dict()["axis"]
    assert axis["values"] == steps.tolist()
    assert axis["labelExpr"].startswith("indexof([0, 32, 100, 200, 400, 800]")
    assert "'0', '3', '5', '7'" in chart_parts.layer_axis(map(str, range(18))).to_dict()["axis"]["labelExpr"]
    assert "'17']" in chart_parts.layer_axis(map(str, range(18))).to_dict()["axis"]["labelExpr"]


def test_a_slider_says_the_step_and_not_its_count(chart):
    parameters = {parameter["name"]: parameter for parameter in chart.to_dict().get("params", [])}
    for name, parameter in parameters.items():
        if "range" in str(parameter.get("bind")):
            assert len(parameters[f"{name}_names"]["value"]) == parameter["bind"]["max"] + 1


def test_what_the_sliders_stand_at_is_said_below_the_title():
    [*_, patch] = drawn("retrieval_map").to_dict()["usermeta"]["embedOptions"]["patch"]
    assert patch["path"] == "/title/subtitle"
    assert "'step 1,200'" in patch["value"]["signal"] and "'layer 2'" in patch["value"]["signal"]


def test_a_title_is_broken_into_lines_that_a_phone_shows_whole(chart):
    title = chart.to_dict()["title"]
    text = title["text"]
    if isinstance(text, dict):  # of a wide chart and of a narrow one, unless a slider changes it
        narrow = text["expr"].partition(" : ")[2]
        text = json.loads(narrow) if narrow else []
    assert max(map(len, [*text, *title.get("subtitle", [])]), default=0) <= 48


@pytest.mark.parametrize("background", [1.0, 0.0060], ids=["light", "dark"])
def test_every_colour_can_be_seen_on_both_backgrounds(background):
    series = theme.series_scale(f"model {number}" for number in range(20)).range
    of_languages = [*theme.language_colours(LANGUAGES).values(), *theme.family_colours(FAMILIES).values()]
    for colour in [*of_languages, *series, theme.INK, theme.BASELINE]:
        rgb = tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        light, dark = sorted((theme.relative_luminance(rgb), background), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 2.9, colour
