"""Charts of regions: any rule is shown, and what is drawn is what the table says, beside its baseline."""

import json

import fake_tables
import numpy as np
import pytest
from fake_tables import MODELS, RULES
from specification import data_sets, fields, found, rows_of
from test_charts import CHARTS, drawn

from lingua_utils.charts import ablation, evolution, regions, tasks, theme
from lingua_utils.runs import settings
from lingua_utils.text.languages import DEFAULT_LANGUAGES

ENGLISH, CHINESE = map(theme.language_name, DEFAULT_LANGUAGES[:2])
BY_RULE = [name for name in CHARTS if "of " not in name and "rule" in CHARTS[name][1]()]
OWN = "my own rule"


def parameter(chart, name: str) -> dict:
    return next(p for p in chart.to_dict()["params"] if p["name"] == name)


@pytest.mark.parametrize("name", BY_RULE)
def test_a_rule_of_any_name_is_shown_after_the_books(name):
    draw, table, _ = CHARTS[name]
    chart = draw(table(rules=(OWN, *RULES)))
    places = [part["options"] for part in found(chart, "bind") if part.get("options", [""])[0] in RULES]
    places += [part["sort"] for part in found(chart, "facet") if part.get("field") == "rule"]
    places += [part["sort"] for part in found(chart, "y") if part.get("field") == "rule"]
    assert places
    assert all(place == [*RULES, OWN] for place in places)
    assert OWN in {row.get("rule") for row in max(data_sets(chart), key=len)}


def test_the_agreement_of_a_rule_of_any_name_is_shown():
    rows = rows_of(regions.region_agreement(fake_tables.region_agreement(rules=(*RULES, OWN))))
    assert {f"{rule} · {OWN}" for rule in RULES} <= set(rows.rules)


@pytest.mark.parametrize("name", ["concentration", "selectivity"])
def test_a_rule_of_any_name_has_a_colour_of_its_own(name):
    draw, table, _ = CHARTS[name]
    scales = [
        part["color"]["scale"]
        for part in found(draw(table(rules=(*RULES, OWN))), "encoding")
        if "color" in part
    ]
    assert scales
    for scale in scales:
        assert scale["domain"] == [*RULES, OWN]
        assert scale["range"][: len(RULES)] == list(theme.RULES.values())
        assert len(set(scale["range"])) == len(RULES) + 1


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
    assert f'"field": "{baseline}"' in fields(drawn(name))


@pytest.mark.parametrize("name", ["selectivity", "dose_response"])
def test_no_effect_is_marked_by_a_line_at_zero(name):
    assert '"datum": 0' in fields(drawn(name))


@pytest.mark.parametrize("name", ["accuracy_by_language", "accuracy_against_sads"])
def test_accuracy_is_drawn_beside_the_chance_of_each_task(name):
    shown, chart = rows_of(drawn(name)), fields(drawn(name))
    assert shown.groupby("asked").chance.first().to_dict() == fake_tables.TASKS
    assert '"field": "chance"' in chart and "strokeDash" in chart


def test_models_stand_side_by_side_with_the_spread_of_their_seeds():
    rows = rows_of(drawn("models_side_by_side"))
    assert (rows.seeds == 2).all()
    assert (rows.high - rows.low).round(6).eq(0.02).all() and (
        (rows.low + rows.high) / 2 - rows.value
    ).abs().max() < 1e-9


def test_the_share_of_key_neurons_stands_beside_shuffled_languages_and_the_untrained_twin():
    rows = rows_of(drawn("null_shares")).set_index(["rule", "of"]).of_all
    first = [rows[RULES[0], what] for what in ("as it is", "languages shuffled", "untrained twin")]
    assert first == [0.4, 0.2, 0.1]
    assert len(rows) == 3 * len(RULES)


@pytest.mark.parametrize(
    "without", [{"columns": "share_untrained"}, {"columns": []}], ids=["no column", "no number"]
)
def test_a_model_without_a_twin_is_shown_without_and_the_figure_says_so(without):
    table = fake_tables.region_null().assign(share_untrained=np.nan).drop(**without)
    chart = regions.null_shares(table)
    assert "no untrained twin measured" in str(chart.to_dict()["title"])
    assert len(rows_of(chart)) == 2 * len(RULES)
    assert "no untrained twin measured" not in str(drawn("null_shares").to_dict()["title"])


def test_the_atlas_holds_every_layer_at_every_step():
    counts = fake_tables.region_counts()
    records = max(data_sets(regions.region_atlas(counts)), key=len)
    assert len(records) == len(RULES) * (len(DEFAULT_LANGUAGES) + 1) * 3
    record = next(
        r for r in records if (r["rule"], r["language"], r["strip"]) == ("calibrated", CHINESE, "2")
    )
    wanted = counts.query("rule == 'calibrated' and language == @DEFAULT_LANGUAGES[1] and layer == '2'")
    for value in ("count", "share", "expected"):
        np.testing.assert_allclose(record[f"{value}_at"], [wanted[value].tolist()], atol=5e-5)


def test_the_atlas_has_a_row_of_what_shuffled_languages_give():
    counts = fake_tables.region_counts()
    records = max(data_sets(regions.region_atlas(counts)), key=len)
    record = next(r for r in records if (r["rule"], r["language"], r["strip"]) == ("ap", regions.CHANCE, "2"))
    wanted = counts.query("rule == 'ap' and layer == '2'").groupby("step").expected.mean()
    np.testing.assert_allclose(record["count_at"], [wanted.tolist()], atol=5e-5)


def test_the_atlas_has_a_slider_only_over_several_steps():
    last = len(fake_tables.STEPS) - 1
    over_steps = parameter(drawn("region_atlas"), "step_at")
    assert (over_steps["bind"]["max"], over_steps["value"]) == (last, last)
    assert "bind" not in parameter(drawn("region_atlas of one run"), "step_at")


def test_the_rules_with_a_colour_are_those_of_the_settings_in_their_order():
    assert tuple(theme.RULES) == settings.RULES


def test_a_table_made_before_a_rule_was_added_is_shown_with_the_rules_it_has():
    counts = fake_tables.region_counts(rules=RULES[1:])
    chosen = parameter(regions.region_atlas(counts), "chosen_rule")
    assert (chosen["value"], chosen["bind"]["options"]) == (RULES[1], list(RULES[1:]))


@pytest.mark.parametrize("name", ["region_atlas", "region_overlap", "silencing_matrix"])
def test_the_leading_rule_is_the_first_shown(name):
    chosen = parameter(drawn(name), "chosen_rule")
    assert chosen["value"] == RULES[0]
    assert chosen["bind"]["options"] == list(RULES)


def test_the_size_of_a_region_is_summed_over_layers_and_averaged_over_languages():
    counts = fake_tables.region_counts(MODELS)
    rows = rows_of(evolution.region_size_by_step(counts)).set_index(["model", "rule", "step"])
    one = counts.query("model_id == 'lab/bloom-m' and rule == 'lape' and step == 32")
    sizes = one.groupby("language")["count"].sum()
    shown = rows.loc[("bloom-m", "lape", 32)]
    assert (shown.neurons, shown.low, shown.high) == pytest.approx((sizes.mean(), sizes.min(), sizes.max()))
    assert shown.expected == pytest.approx(one.expected.sum() / len(sizes))
    assert len(rows) == len(MODELS) * len(RULES) * len(fake_tables.STEPS)


def test_an_empty_region_has_no_place_among_the_layers():
    rows = rows_of(drawn("concentration"))
    assert ENGLISH not in set(rows[rows.rule == RULES[0]].language)
    assert ENGLISH in set(rows[rows.rule == "calibrated"].language)


def test_the_colour_of_overlap_is_what_exceeds_chance_and_each_pair_is_shown_once():
    rows = rows_of(drawn("region_overlap"))
    assert len(rows) == len(RULES) * len(DEFAULT_LANGUAGES) * (len(DEFAULT_LANGUAGES) - 1) / 2
    np.testing.assert_allclose(rows.excess, rows.jaccard - 0.15, atol=1e-9)


def diverging(name: str) -> list[dict]:
    """Colour scales of a chart that diverge from a middle."""
    return [part for part in found(drawn(name), "scale") if "domainMid" in part]


@pytest.mark.parametrize(
    ("name", "reach"), [("region_overlap", 0.15), ("silencing_matrix", 0.4), ("perplexity_matrix", 1)]
)
def test_diverging_colours_are_nothing_at_zero_and_the_same_in_all_panels(name, reach):
    scales = diverging(name)
    assert scales
    for scale in scales:
        assert scale["domainMid"] == 0 and scale["range"][1].endswith(", 0)")
        assert scale["domainMin"]["expr"] == f"-({scale['domainMax']['expr']})"
        reaches = json.loads(scale["domainMax"]["expr"].removesuffix("[chosen_rule]"))
        assert max(reaches.values()) == pytest.approx(reach, abs=1e-3) and list(reaches) == sorted(RULES)
    assert len({json.dumps(scale) for scale in scales}) == 1


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("silencing_matrix", ("change", "control_mean")),
        ("perplexity_matrix", ("ratio_log", "control_ratio_log")),
    ],
)
def test_a_silenced_region_has_its_controls_beside_it_in_one_scale(name, columns):
    region, random = (panel["layer"][0] for panel in drawn(name).to_dict()["hconcat"])
    colours = [panel["encoding"]["color"] for panel in (region, random)]
    assert tuple(colour["field"] for colour in colours) == columns
    assert colours[0]["scale"] == colours[1]["scale"]
    assert region.get("transform") == random.get("transform")


@pytest.mark.parametrize("name", ["perplexity_matrix", "silencing_matrix"])
def test_a_number_stands_where_a_region_costs_more_than_random_neurons(name):
    rows = rows_of(drawn(name))
    assert (rows.above == (rows.region_language == rows.text_language)).all()
    [numbers] = [part for panel in drawn(name).to_dict()["hconcat"] for part in panel["layer"][1:]]
    assert {"filter": "datum.above"} in numbers["transform"]


@pytest.mark.parametrize("name", ["selectivity", "dose_response"])
def test_panels_of_rules_have_one_scale_intervals_and_their_control(name):
    chart = drawn(name)
    shown = fields(chart)
    low, high = ("difference_low", "difference_high") if name == "selectivity" else ("low", "high")
    assert f'"field": "{low}"' in shown and f'"field": "{high}"' in shown
    assert "independent" not in chart.to_dict().get("resolve", {}).get("scale", {}).values()
    assert ("control_difference" if name == "selectivity" else ablation.RANDOM) in shown


def test_random_regions_stand_where_the_whole_region_is_silenced():
    rows = rows_of(drawn("dose_response"))
    assert rows[rows.text_language == ablation.RANDOM].share.eq(1).all()


def test_a_change_for_the_worse_is_warm():
    assert {scale["range"][2] for scale in diverging("silencing_matrix")} == {theme.LANGUAGE_SCORE}


def test_overlap_opens_with_a_rule_by_which_languages_share_neurons():
    table = fake_tables.region_overlap()
    table.loc[table.rule == RULES[0], "jaccard"] = 0.0
    assert parameter(regions.region_overlap(table), "chosen_rule")["value"] == RULES[1]


def test_an_empty_region_has_no_selectivity_to_show():
    rows = rows_of(drawn("selectivity"))
    assert ENGLISH not in set(rows.region_language)
    assert len(rows) == len(RULES) * 9 * 2


def test_dose_and_response_begin_with_the_mean_over_languages():
    table = fake_tables.dose()
    chart = ablation.dose_response(table)
    assert parameter(chart, "chosen_region_language")["value"] == "mean"
    one = "region_language == 'mean' and rule == 'ap' and text_language == 'its own language'"
    np.testing.assert_allclose(
        rows_of(chart).query(one).sort_values("share").change,
        table.query("rule == 'ap'").groupby("share").own.mean(),
        atol=1e-4,
    )


def test_accuracy_with_random_neurons_silenced_is_the_mean_of_its_draws():
    rows = rows_of(tasks.accuracy_silenced(fake_tables.tasks()))
    random = rows[rows.asked_in == ablation.RANDOM]
    assert len(random) == len(DEFAULT_LANGUAGES)
    np.testing.assert_allclose(random.change, -0.02)
    np.testing.assert_allclose(rows[rows.asked_in == ablation.OWN].change, -0.2)


def test_accuracy_is_drawn_on_a_scale_on_which_a_few_items_look_small():
    table = fake_tables.tasks()
    changes = ["change", "change_low", "change_high"]
    chart = tasks.accuracy_silenced(table.assign(**{name: table[name] / 100 for name in changes}))
    assert {tuple(part["domain"]) for part in found(chart, "scale") if 0.1 in part.get("domain", [])} == {
        (-0.1, 0.1)
    }
