"""Charts of an encoder-decoder: each stack has its own panel, in order, and nothing of a table is lost."""

import altair as alt
import fake_tables
import pandas as pd
import pytest
from fake_tables import PAIRED, PAIRED_LAYERS, STACKS
from specification import data_sets, fields, parts

from lingua_utils.charts import figures as charts
from lingua_utils.charts import parts as chart_parts
from lingua_utils.charts import region_figures as region_charts

ONE_STEP = fake_tables.STEPS[-1:]

# Those with the layers along an axis, those of tables that have a row a stack, and one that adds layers up.
OVER_LAYERS = {
    "scores_by_layer": lambda **layers: charts.scores_by_layer(
        fake_tables.similarity(steps=ONE_STEP, **layers)
    ),
    "layer_step_map": lambda **layers: charts.layer_step_map(fake_tables.similarity(**layers)),
    "variance_shares": lambda **layers: charts.variance_shares(fake_tables.variance(**layers)),
    "activity_by_layer": lambda **layers: charts.activity_by_layer(fake_tables.activity(**layers)),
    "region_atlas": lambda **layers: region_charts.region_atlas(fake_tables.region_counts(**layers)),
}
OVER_STACKS = {
    "region_overlap": lambda **stacks: region_charts.region_overlap(fake_tables.region_overlap(**stacks)),
    "region_agreement": lambda **stacks: region_charts.region_agreement(
        fake_tables.region_agreement(**stacks)
    ),
    "concentration": lambda **stacks: region_charts.concentration(fake_tables.region_concentration(**stacks)),
}
SIZES = {
    "region_size_by_step": lambda **layers: region_charts.region_size_by_step(
        fake_tables.region_counts(**layers)
    )
}


def paired_chart(name: str) -> alt.TopLevelMixin:
    if name in OVER_STACKS:
        return OVER_STACKS[name](stacks=STACKS)
    return (OVER_LAYERS | SIZES)[name](layers=PAIRED_LAYERS)


def found(chart: alt.TopLevelMixin, key: str) -> list[dict]:
    """Every value of a key anywhere in the specification."""
    return [part[key] for part in parts(chart.to_dict()) if key in part]


def stack_panels(chart: alt.TopLevelMixin) -> list[dict]:
    channels = [facet.get(channel, facet) for facet in found(chart, "facet") for channel in ("row", "column")]
    return [channel for channel in channels if channel.get("field") == "stack"]


@pytest.mark.parametrize("name", [*OVER_LAYERS, *OVER_STACKS, *SIZES])
def test_every_chart_of_layers_has_a_panel_for_each_stack(name):
    panels = stack_panels(paired_chart(name))
    upwards = name == "layer_step_map"
    assert panels
    assert all(panel["sort"] == list(STACKS[:: -1 if upwards else 1]) for panel in panels)


@pytest.mark.parametrize("name", [*OVER_LAYERS, *OVER_STACKS, *SIZES])
def test_a_model_with_one_stack_has_no_such_panels(name):
    chart = (OVER_LAYERS | OVER_STACKS | SIZES)[name]()
    assert not stack_panels(chart)
    assert "encoder" not in fields(chart)


@pytest.mark.parametrize("name", OVER_LAYERS)
def test_layer_10_comes_after_layer_9(name):
    encodings = found(paired_chart(name), "encoding")
    sorts = [
        encoding[axis]["sort"]
        for encoding in encodings
        for axis in ("x", "y")
        if encoding.get(axis, {}).get("field") in ("layer", "strip")
    ]
    order = [str(layer) for layer in range(12)]
    assert sorts
    assert all(sort == (order[::-1] if name == "layer_step_map" else order) for sort in sorts)


@pytest.mark.parametrize("name", OVER_LAYERS)
def test_every_layer_of_both_stacks_is_drawn(name):
    rows = pd.DataFrame(max(data_sets(paired_chart(name)), key=len))
    drawn = set(rows["stack"] + " " + rows["strip" if "strip" in rows else "layer"])
    assert drawn == set(PAIRED)


@pytest.mark.parametrize("name", [*OVER_LAYERS, *OVER_STACKS, *SIZES])
def test_every_chart_with_stacks_compiles_to_vega(name):
    import vl_convert

    assert vl_convert.vegalite_to_vega(paired_chart(name).to_dict(), vl_version="6.4")["marks"]


def test_the_size_of_a_region_is_summed_within_a_stack():
    counts = fake_tables.region_counts(layers=PAIRED_LAYERS)
    rows = pd.DataFrame(max(data_sets(region_charts.region_size_by_step(counts)), key=len))
    one = counts[counts.layer.str.startswith("decoder")].query("method == 'lape' and step == 32")
    drawn = rows[rows["stack"] == "decoder"].query("method == 'lape' and step == 32")
    assert drawn.neurons.item() == pytest.approx(one.groupby("language")["count"].sum().mean(), abs=0.01)


def test_rules_have_rows_and_stacks_have_columns():
    facet = OVER_STACKS["concentration"](stacks=STACKS).to_dict()["facet"]
    assert facet["row"]["field"] == "method"
    assert facet["column"]["field"] == "stack"


def test_the_title_of_a_slider_names_the_stack_and_the_layer():
    frames = chart_parts.Frames.of(
        fake_tables.projection(layers=PAIRED_LAYERS), ["language", "sentence"], ["x"]
    )
    names = str(frames.title("Where").to_dict())
    assert "all layers" in names
    assert "encoder layer 11" in names and "decoder layer 2" in names
