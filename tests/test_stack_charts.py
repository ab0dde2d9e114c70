"""Charts of an encoder-decoder: each stack has its own panel, in order, and nothing of a table is lost."""

import altair as alt
import fake_tables
import pytest
import vl_convert
from fake_tables import PAIRED, PAIRED_LAYERS, STACKS
from specification import fields, found, rows_of
from test_charts import CHARTS, drawn

from lingua_utils.charts import evolution, similarity
from lingua_utils.charts.parts import SliderTable

# Those with the layers along an axis, those of tables that have a row per stack, and one that adds layers up.
OVER_LAYERS = ["scores_by_layer", "layer_step_map", "variance_shares", "activity_by_layer", "region_atlas"]
OVER_STACKS = ["region_overlap", "region_agreement", "concentration"]
EVERY = [*OVER_LAYERS, *OVER_STACKS, "region_size_by_step"]


def paired_chart(name: str) -> alt.TopLevelMixin:
    if name == "scores_by_layer":
        return similarity.scores_by_layer(fake_tables.similarity(steps=(8,), layers=PAIRED_LAYERS))
    if name == "layer_step_map":
        return evolution.layer_step_map(fake_tables.similarity(layers=PAIRED_LAYERS))
    draw, table, _ = CHARTS[name]
    return draw(table(stacks=STACKS) if name in OVER_STACKS else table(layers=PAIRED_LAYERS))


def stack_panels(chart: alt.TopLevelMixin) -> list[dict]:
    channels = [facet.get(channel, facet) for facet in found(chart, "facet") for channel in ("row", "column")]
    return [channel for channel in channels if channel.get("field") == "stack"]


@pytest.mark.parametrize("name", EVERY)
def test_every_chart_of_layers_has_a_panel_for_each_stack(name):
    panels = stack_panels(paired_chart(name))
    upwards = name == "layer_step_map"
    assert panels
    assert all(panel["sort"] == list(STACKS[:: -1 if upwards else 1]) for panel in panels)


@pytest.mark.parametrize("name", EVERY)
def test_a_model_with_one_stack_has_no_such_panels(name):
    chart = drawn(name)
    assert not stack_panels(chart)
    assert "encoder" not in fields(chart)


@pytest.mark.parametrize("name", OVER_LAYERS)
def test_layer_10_comes_after_layer_9(name):
    sorts = [
        encoding[axis]["sort"]
        for encoding in found(paired_chart(name), "encoding")
        for axis in ("x", "y")
        if encoding.get(axis, {}).get("field") in ("layer", "strip") and "sort" in encoding[axis]
    ]
    order = [str(layer) for layer in range(12)]
    assert sorts
    assert all(sort == (order[::-1] if name == "layer_step_map" else order) for sort in sorts)


@pytest.mark.parametrize("name", OVER_LAYERS)
def test_every_layer_of_both_stacks_is_drawn(name):
    rows = rows_of(paired_chart(name))
    assert set(rows["stack"] + " " + rows["strip" if "strip" in rows else "layer"]) == set(PAIRED)


@pytest.mark.parametrize("name", EVERY)
def test_every_chart_with_stacks_compiles_to_vega(name):
    assert vl_convert.vegalite_to_vega(paired_chart(name).to_dict(), vl_version="6.4")["marks"]


def test_the_size_of_a_region_is_summed_within_a_stack():
    counts = fake_tables.region_counts(layers=PAIRED_LAYERS)
    one = counts[counts.layer.str.startswith("decoder")].query("rule == 'lape' and step == 32")
    rows = rows_of(evolution.region_size_by_step(counts))
    shown = rows[rows["stack"] == "decoder"].query("rule == 'lape' and step == 32")
    assert shown.neurons.item() == pytest.approx(one.groupby("language")["count"].sum().mean(), abs=0.01)


def test_rules_have_rows_and_stacks_have_columns():
    facet = paired_chart("concentration").to_dict()["facet"]
    assert facet["row"]["field"] == "rule"
    assert facet["column"]["field"] == "stack"


def test_what_a_slider_stands_at_names_the_stack_and_the_layer():
    table = SliderTable.pack(fake_tables.projection(layers=PAIRED_LAYERS), ["language", "sentence"], ["x"])
    names = table.state()
    assert "all layers" in names
    assert "encoder layer 11" in names and "decoder layer 2" in names
