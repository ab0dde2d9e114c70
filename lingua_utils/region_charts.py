"""Figures of the language regions: where they lie, what silencing them costs, and what the model still knows.

As in :mod:`lingua_utils.charts`, a tidy table goes in and an Altair chart comes out; collated over runs the
tables also have ``model_id`` and ``step``, and a slider then chooses the checkpoint.
"""

from __future__ import annotations

import altair as alt
import pandas as pd

from lingua_utils import theme
from lingua_utils.chart_parts import Frames, check_rows, choice, finish, need, step_axis, with_steps

_METHODS = ["zscore", "calibrated", "lape", "ap"]
_METHOD_SCALE = alt.Scale(domain=_METHODS, range=["#c2571a", "#2f7fc1", "#2e8b57", "#8e5bb5"])
_SQUARE = 300


def _methods(table: pd.DataFrame) -> tuple[list[alt.Parameter], str]:
    """A list of the rules that are in a table, the calibrated one first chosen."""
    present = [method for method in _METHODS if (table.method == method).any()]
    first = "calibrated" if "calibrated" in present else None
    return choice("method", present, first=first, label="rule")


def _names(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Codes of languages in these columns replaced by English names."""
    return table.assign(**{column: table[column].map(theme.language_name) for column in columns})


def null_shares(null: pd.DataFrame) -> alt.LayerChart:
    """Share of all neurons that each rule calls key to some language, really and with languages shuffled.

    Parameters
    ----------
    null : DataFrame
        The ``region_null`` table of one run: ``method``, ``share``, ``share_shuffled``.
    """
    need(null, ["method", "share", "share_shuffled"])
    rows = null.melt("method", ["share", "share_shuffled"], "languages", "of_all").round(4)
    rows["languages"] = rows.languages.map({"share": "as they are", "share_shuffled": "shuffled"})
    bars = (
        alt.Chart(rows)
        .mark_bar()
        .encode(
            alt.X("of_all:Q", title="share of all neurons", axis=alt.Axis(format="%")),
            alt.Y("languages:N", title=None, axis=None),
            alt.Color(
                "languages:N",
                title="languages",
                scale=alt.Scale(
                    domain=["as they are", "shuffled"], range=[theme.MEANING_SCORE, theme.BASELINE]
                ),
            ),
            tooltip=["method:N", "languages:N", alt.Tooltip("of_all:Q", title="share", format=".1%")],
        )
        .properties(width=460, height={"step": 16})
        .facet(
            row=alt.Row(
                "method:N", title=None, sort=_METHODS, header=alt.Header(labelAngle=0, labelAlign="left")
            )
        )
    )
    return finish(bars, "Share of neurons called key by each rule, with real and with shuffled languages.")


def region_atlas(counts: pd.DataFrame) -> alt.LayerChart:
    """How much of every layer is key to each language: one strip a language, a slider over checkpoints.

    Parameters
    ----------
    counts : DataFrame
        ``region_counts`` of one run, or collated over the checkpoints of one model: ``method``, ``layer``,
        ``layer_index``, ``language``, ``count``, ``share``, ``expected``.
    """
    need(counts, ["method", "layer", "layer_index", "language", "count", "share", "expected"])
    order = list(counts.sort_values("layer_index").layer.unique())
    table = counts.assign(strip=counts.layer, layer="all", layer_index=0)
    frames = Frames.of(table, ["method", "language", "strip"], ["count", "share", "expected"], decimals=4)
    methods, method = _methods(counts)
    names = [theme.language_name(code) for code in dict.fromkeys(counts.language)]
    for record in frames.records:
        record["language"] = theme.language_name(record["language"])
    strips = (
        frames.chart()
        .transform_filter(method)
        .transform_calculate(**{name: frames.pick(name) for name in ("count", "share", "expected")})
        .mark_rect(stroke=theme.RULE)
        .encode(
            alt.X("strip:N", title="layer", sort=order, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            alt.Y("language:N", title=None, sort=names),
            alt.Color(
                "share:Q",
                title="share of the layer's neurons",
                scale=alt.Scale(scheme="blues", domain=[0, float(counts.share.max()) or 1.0]),
                legend=alt.Legend(orient="bottom", gradientLength=260, format="%"),
            ),
            tooltip=[
                alt.Tooltip("language:N"),
                alt.Tooltip("strip:N", title="layer"),
                alt.Tooltip("count:Q", title="key neurons"),
                alt.Tooltip("expected:Q", title="by chance", format=".1f"),
            ],
        )
    )
    chance = strips.mark_text(fontSize=9, color=theme.INK).encode(
        text=alt.Text("expected:Q", format=".0f"), color=alt.value("#8a8a8a"), tooltip=alt.value(None)
    )
    chart = (
        (strips + chance)
        .add_params(*frames.sliders(), *methods)
        .properties(
            width="container", height={"step": 24}, title=frames.title("Key neurons (number: by chance)")
        )
    )
    return finish(chart, f"Share of each layer's neurons that is key to each of {len(names)} languages.")


def region_size_by_step(counts: pd.DataFrame) -> alt.FacetChart:
    """Mean number of key neurons of a language against the training step, and by chance, for every rule.

    Parameters
    ----------
    counts : DataFrame
        Collated ``region_counts`` of one or several models.
    """
    table = with_steps(counts, ["method", "language", "count", "expected"])
    sizes = table.groupby(["model", "method", "step", "language"])[["count", "expected"]].sum()
    rows = sizes.groupby(["model", "method", "step"]).agg(
        neurons=("count", "mean"), low=("count", "min"), high=("count", "max"), expected=("expected", "mean")
    )
    rows = rows.reset_index().round(2)
    check_rows(rows)
    x, y = step_axis(rows.step), "key neurons of a language"
    colour = alt.Color("model:N", title="model")
    base = alt.Chart(rows)
    tooltip = ["model:N", alt.Tooltip("step:Q", format=","), alt.Tooltip("neurons:Q", format=".1f")]
    tooltip += [alt.Tooltip("expected:Q", title="by chance", format=".1f")]
    chart = (
        alt.layer(
            base.mark_area(opacity=0.15).encode(x, alt.Y("low:Q", title=y), alt.Y2("high:Q"), colour),
            base.mark_line(strokeDash=[4, 4], strokeWidth=1.2).encode(x, alt.Y("expected:Q"), colour),
            base.mark_line(point=True).encode(x, alt.Y("neurons:Q"), colour, tooltip=tooltip),
        )
        .properties(width=250, height=200)
        .facet(alt.Facet("method:N", title=None, sort=_METHODS), columns=2)
        .resolve_scale(y="independent")
        .properties(
            title=alt.Title(
                "Size of the regions through training",
                subtitle="mean and range over languages · dashed: shuffled languages",
            )
        )
    )
    return finish(
        chart, "Number of key neurons of a language against training step, for each rule, with chance."
    )


def concentration(concentration: pd.DataFrame) -> alt.FacetChart:
    """Share of each region in the first and last tenth of the layers, against an even spread.

    Parameters
    ----------
    concentration : DataFrame
        ``region_concentration`` of one run: ``method``, ``language``, ``share_outer``, ``low``, ``high``,
        ``uniform``, ``n_neurons``.
    """
    need(concentration, ["method", "language", "share_outer", "low", "high", "uniform", "n_neurons"])
    rows = _names(concentration[concentration.n_neurons > 0], "language").round(4)
    names = list(dict.fromkeys(rows.language))
    base = alt.Chart(rows).encode(alt.Y("language:N", title=None, sort=names))
    x = alt.X("share_outer:Q", title="share in the outer layers", axis=alt.Axis(format="%"))
    drawn = alt.layer(
        base.mark_rule(strokeDash=[5, 4], color=theme.BASELINE).encode(alt.X("uniform:Q"), y=alt.Y()),
        base.mark_rule(strokeWidth=2).encode(
            alt.X("low:Q", title=x.title),
            alt.X2("high:Q"),
            alt.Color("method:N", scale=_METHOD_SCALE, legend=None),
        ),
        base.mark_point(filled=True, size=50).encode(
            x,
            alt.Color("method:N", scale=_METHOD_SCALE, legend=None),
            tooltip=[
                "language:N",
                "n_neurons:Q",
                alt.Tooltip("share_outer:Q", format=".1%"),
                alt.Tooltip("uniform:Q", format=".1%"),
            ],
        ),
    )
    chart = (
        drawn.properties(width=250, height={"step": 18})
        .facet(alt.Facet("method:N", title=None, sort=_METHODS), columns=2)
        .properties(
            title=alt.Title(
                "First and last tenth of the layers", subtitle="95 % intervals · dashed: an even spread"
            )
        )
    )
    return finish(
        chart, "Share of each language's key neurons in the outer layers, with an even spread as baseline."
    )


def region_overlap(overlap: pd.DataFrame) -> alt.LayerChart:
    """Jaccard overlap of every two languages' regions; the colour is what exceeds chance.

    Parameters
    ----------
    overlap : DataFrame
        ``region_overlap`` of one run: ``method``, ``source``, ``target``, ``jaccard``, ``chance``.
    """
    need(overlap, ["method", "source", "target", "jaccard", "chance"])
    rows = _names(overlap, "source", "target").assign(excess=overlap.jaccard - overlap.chance).round(4)
    check_rows(rows)
    names = list(dict.fromkeys(rows.source))
    methods, method = _methods(rows)
    reach = float(rows.excess.abs().max()) or 1.0
    base = (
        alt.Chart(rows)
        .transform_filter(method)
        .encode(
            alt.X("target:N", title=None, sort=names, axis=alt.Axis(labelAngle=-45)),
            alt.Y("source:N", title=None, sort=names),
            tooltip=[
                "source:N",
                "target:N",
                alt.Tooltip("jaccard:Q", format=".3f"),
                alt.Tooltip("chance:Q", format=".3f"),
            ],
        )
    )
    squares = base.mark_rect().encode(
        alt.Color(
            "excess:Q",
            title="Jaccard − chance",
            scale=alt.Scale(scheme="redblue", domain=[-reach, reach]),
            legend=alt.Legend(orient="bottom", gradientLength=260),
        )
    )
    numbers = base.mark_text(fontSize=9, color="#111111").encode(text=alt.Text("jaccard:Q", format=".2f"))
    chart = (
        (squares + numbers)
        .add_params(*methods)
        .properties(width="container", height=_SQUARE, title="Overlap of regions (number: Jaccard)")
    )
    return finish(chart, f"Heat map of the overlap of {len(names)} languages' regions, beyond chance.")


def region_agreement(agreement: pd.DataFrame) -> alt.LayerChart:
    """How far every two rules select the same neurons: a point a language, the dashed tick is chance.

    Parameters
    ----------
    agreement : DataFrame
        ``region_agreement`` of one run: ``method_a``, ``method_b``, ``language``, ``jaccard``, ``chance``.
    """
    need(agreement, ["method_a", "method_b", "language", "jaccard", "chance"])
    rows = (
        _names(agreement, "language").assign(rules=agreement.method_a + " · " + agreement.method_b).round(4)
    )
    base = alt.Chart(rows).encode(alt.Y("rules:N", title=None, sort=list(dict.fromkeys(rows.rules))))
    codes = agreement.language.unique()
    points = base.mark_point(filled=True, size=60, opacity=0.85).encode(
        alt.X("jaccard:Q", title="Jaccard overlap"),
        alt.Color(
            "language:N", title="language", scale=theme.language_scale(codes), legend=theme.language_legend()
        ),
        tooltip=[
            "rules:N",
            "language:N",
            alt.Tooltip("jaccard:Q", format=".3f"),
            alt.Tooltip("chance:Q", format=".3f"),
        ],
    )
    chance = base.mark_tick(thickness=2, color=theme.BASELINE).encode(alt.X("mean(chance):Q"))
    chart = (chance + points).properties(
        width="container",
        height={"step": 30},
        title=alt.Title("Agreement of the rules", subtitle="tick: chance"),
    )
    return finish(
        chart, "Overlap of the regions that every two rules select, for each language, with chance."
    )
