"""Charts of regions: what is drawn is what the table says, beside chance, controls or an even spread."""

import altair as alt
import fake_tables
import numpy as np
import pandas as pd
import pytest
from specification import data_sets, fields, parts

from lingua_utils.charts import region_figures as region_charts
from lingua_utils.charts import theme
from lingua_utils.charts.parts import MAX_ROWS
from lingua_utils.text.languages import DEFAULT_LANGUAGES, LANGUAGES

MODELS = ("lab/bloom-m", "lab/bloom-m-monolingual")
ENGLISH, CHINESE = map(theme.language_name, DEFAULT_LANGUAGES[:2])


CHARTS = {
    "null_shares": lambda: region_charts.null_shares(fake_tables.region_null()),
    "region_atlas": lambda: region_charts.region_atlas(fake_tables.region_counts()),
    "region_atlas of one run": lambda: region_charts.region_atlas(
        fake_tables.region_counts(steps=(8,)).drop(columns=["model_id", "step"])
    ),
    "region_size_by_step": lambda: region_charts.region_size_by_step(fake_tables.region_counts()),
    "region_size_by_step of two models": lambda: region_charts.region_size_by_step(
        fake_tables.region_counts(MODELS)
    ),
    "concentration": lambda: region_charts.concentration(fake_tables.region_concentration()),
    "region_overlap": lambda: region_charts.region_overlap(fake_tables.region_overlap()),
    "region_agreement": lambda: region_charts.region_agreement(fake_tables.region_agreement()),
    "silencing_matrix": lambda: region_charts.silencing_matrix(fake_tables.silencing()),
    "selectivity": lambda: region_charts.selectivity(fake_tables.selectivity()),
    "dose_response": lambda: region_charts.dose_response(fake_tables.dose()),
    "accuracy_by_language": lambda: region_charts.accuracy_by_language(fake_tables.accuracy()),
    "accuracy_silenced": lambda: region_charts.accuracy_silenced(fake_tables.tasks()),
    "accuracy_against_sads": lambda: region_charts.accuracy_against_sads(fake_tables.task_points()),
}


@pytest.fixture(scope="module", params=CHARTS)
def chart(request) -> alt.TopLevelMixin:
    return CHARTS[request.param]()


def rows_of(chart: alt.TopLevelMixin) -> pd.DataFrame:
    return pd.DataFrame(max(data_sets(chart), key=len))


def colour_domains(chart: alt.TopLevelMixin) -> list[list[float]]:
    """The limits of every diverging colour scale."""
    return [part["domain"] for part in parts(chart.to_dict()) if part.get("scheme") == "redblue"]


def test_every_chart_has_a_description_for_screen_readers(chart):
    assert len(chart.to_dict()["description"]) > 20


def test_no_chart_holds_more_rows_than_allowed(chart):
    assert 0 < max(map(len, data_sets(chart))) <= MAX_ROWS


def test_every_chart_compiles_to_vega(chart):
    import vl_convert

    assert vl_convert.vegalite_to_vega(chart.to_dict(), vl_version="6.4")["marks"]


@pytest.mark.parametrize(
    ("name", "baseline"),
    [
        ("region_atlas", "expected"),
        ("region_size_by_step", "expected"),
        ("concentration", "uniform"),
        ("region_agreement", "chance"),
        ("silencing_matrix", "control_mean"),
    ],
)
def test_a_chart_draws_its_baseline(name, baseline):
    assert f'"field": "{baseline}"' in fields(CHARTS[name]())


@pytest.mark.parametrize("name", ["selectivity", "dose_response"])
def test_no_effect_is_marked_by_a_line_at_zero(name):
    assert '"datum": 0' in fields(CHARTS[name]())


@pytest.mark.parametrize("name", ["accuracy_by_language", "accuracy_against_sads"])
def test_accuracy_is_drawn_beside_chance(name):
    assert "chance: 25%" in fields(CHARTS[name]())


def test_the_share_of_key_neurons_stands_beside_that_of_shuffled_languages():
    rows = rows_of(CHARTS["null_shares"]()).set_index(["method", "languages"]).of_all
    assert rows["zscore", "as they are"] == 0.4
    assert rows["zscore", "shuffled"] == 0.2
    assert len(rows) == 2 * len(fake_tables.METHODS)


def test_the_atlas_holds_every_layer_at_every_step():
    counts = fake_tables.region_counts()
    records = max(data_sets(region_charts.region_atlas(counts)), key=len)
    assert len(records) == len(fake_tables.METHODS) * len(DEFAULT_LANGUAGES) * 3
    record = next(
        r for r in records if (r["method"], r["language"], r["strip"]) == ("calibrated", CHINESE, "2")
    )
    wanted = counts.query("method == 'calibrated' and language == @DEFAULT_LANGUAGES[1] and layer == '2'")
    for value in ("count", "share", "expected"):
        np.testing.assert_allclose(record[f"{value}_at"], [wanted[value].tolist()], atol=5e-5)


def test_the_atlas_has_a_slider_only_over_several_steps():
    def slider(name):
        return next(p for p in CHARTS[name]().to_dict()["params"] if p["name"] == "step_at")

    last = len(fake_tables.STEPS) - 1
    over_steps = slider("region_atlas")
    assert (over_steps["bind"]["max"], over_steps["value"]) == (last, last)
    assert "bind" not in slider("region_atlas of one run")


@pytest.mark.parametrize("name", ["region_atlas", "region_overlap", "silencing_matrix"])
def test_the_calibrated_rule_is_the_first_shown(name):
    chosen = next(p for p in CHARTS[name]().to_dict()["params"] if p["name"] == "chosen_method")
    assert chosen["value"] == "calibrated"
    assert chosen["bind"]["options"] == list(fake_tables.METHODS)


def test_the_size_of_a_region_is_summed_over_layers_and_averaged_over_languages():
    counts = fake_tables.region_counts(MODELS)
    rows = rows_of(region_charts.region_size_by_step(counts)).set_index(["model", "method", "step"])
    one = counts.query("model_id == 'lab/bloom-m' and method == 'lape' and step == 32")
    sizes = one.groupby("language")["count"].sum()
    drawn = rows.loc[("bloom-m", "lape", 32)]
    assert (drawn.neurons, drawn.low, drawn.high) == pytest.approx((sizes.mean(), sizes.min(), sizes.max()))
    assert drawn.expected == pytest.approx(one.expected.sum() / len(sizes))
    assert len(rows) == len(MODELS) * len(fake_tables.METHODS) * len(fake_tables.STEPS)


def test_sizes_without_steps_cannot_be_drawn_against_them():
    with pytest.raises(ValueError, match="no row has a training step"):
        region_charts.region_size_by_step(fake_tables.region_counts().assign(step=pd.NA))


def test_an_empty_region_has_no_place_among_the_layers():
    rows = rows_of(CHARTS["concentration"]())
    assert ENGLISH not in set(rows[rows.method == "zscore"].language)
    assert ENGLISH in set(rows[rows.method == "calibrated"].language)


def test_the_colour_of_overlap_is_what_exceeds_chance():
    rows = rows_of(CHARTS["region_overlap"]())
    np.testing.assert_allclose(rows.excess, rows.jaccard - 0.15, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "reach"), [("region_overlap", 0.15), ("silencing_matrix", 0.4), ("accuracy_silenced", 0.2)]
)
def test_diverging_colours_are_white_at_zero_and_the_same_in_all_panels(name, reach):
    domains = colour_domains(CHARTS[name]())
    assert domains
    for domain in domains:
        assert domain == pytest.approx([-reach, reach])


def test_the_silencing_matrix_has_its_controls_beside_it():
    region, random = CHARTS["silencing_matrix"]().to_dict()["hconcat"]
    assert region["encoding"]["color"]["field"] == "change"
    assert random["encoding"]["color"]["field"] == "control_mean"
    assert region["transform"] == random["transform"]


def test_a_region_without_selectivity_is_left_out():
    assert ENGLISH not in set(rows_of(CHARTS["selectivity"]()).region_language)
    assert len(rows_of(CHARTS["selectivity"]())) == len(fake_tables.METHODS) * 9 * 2


def test_dose_and_response_begin_with_the_mean_over_languages():
    table = fake_tables.dose()
    chart = region_charts.dose_response(table)
    chosen = next(p for p in chart.to_dict()["params"] if p["name"] == "chosen_region_language")
    assert chosen["value"] == "mean"
    drawn = rows_of(chart).query(
        "region_language == 'mean' and method == 'ap' and text == 'its own language'"
    )
    np.testing.assert_allclose(
        drawn.sort_values("share").change,
        table.query("method == 'ap'").groupby("share").own.mean(),
        atol=1e-4,
    )


def test_accuracy_with_random_neurons_silenced_is_the_mean_of_its_draws():
    panels = CHARTS["accuracy_silenced"]().to_dict()
    assert [panel["title"] for panel in panels["hconcat"]] == ["The region", "Random neurons"]
    region, random = (pd.DataFrame(panels["datasets"][panel["data"]["name"]]) for panel in panels["hconcat"])
    assert len(region) == len(random) == len(DEFAULT_LANGUAGES) ** 2
    np.testing.assert_allclose(region.change, -0.2)
    np.testing.assert_allclose(random.change, -0.02)


def test_too_many_rows_are_refused_with_their_number():
    with pytest.raises(ValueError, match=r"6,240 rows .*at most 5,000"):
        region_charts.region_overlap(fake_tables.region_overlap(list(LANGUAGES)[:40]))


@pytest.mark.parametrize(
    ("draw", "table", "column"),
    [
        (region_charts.null_shares, fake_tables.region_null, "share_shuffled"),
        (region_charts.region_atlas, fake_tables.region_counts, "expected"),
        (region_charts.region_size_by_step, fake_tables.region_counts, "model_id"),
        (region_charts.concentration, fake_tables.region_concentration, "uniform"),
        (region_charts.region_overlap, fake_tables.region_overlap, "chance"),
        (region_charts.region_agreement, fake_tables.region_agreement, "chance"),
        (region_charts.silencing_matrix, fake_tables.silencing, "control_mean"),
        (region_charts.selectivity, fake_tables.selectivity, "selectivity"),
        (region_charts.dose_response, fake_tables.dose, "others"),
        (region_charts.accuracy_by_language, fake_tables.accuracy, "chance"),
        (region_charts.accuracy_silenced, fake_tables.tasks, "change"),
        (region_charts.accuracy_against_sads, fake_tables.task_points, "sads_low"),
    ],
)
def test_a_missing_column_is_named(draw, table, column):
    with pytest.raises(ValueError, match=f"no column '{column}'"):
        draw(table().drop(columns=column))
