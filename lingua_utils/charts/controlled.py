"""Chapter 11: experiments on invented languages, each beside what is least and most to be had."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from lingua_utils.charts import parts, theme, titles

OUTCOMES = {
    "sads": "SADS",
    "sads_best": "SADS, best layer",
    "learned": "SADS learned",
    "retrieval": "translations found",
    "lrds": "LRDS",
    "transfer": "facts transferred",
    "translation": "translations chosen",
    "bits": "bits per sentence",
    "nearly_down": "loss nine tenths down (log₂ step)",
    "region": "key neurons",
    "region_outer": "of these in the outer layers",
    "mutual": "mutual neighbours",
    "cka": "CKA",
}
"""Outcomes and what the charts call them."""

# Drawn only where it is known; elsewhere it lies where the value is, since an empty field has no extent.
FLOOR = alt.when("isValid(datum.floor)").then(alt.value(1)).otherwise(alt.value(0))
LEVELS = "lines: 95 % intervals · grey: the same, untrained · dashed blue: a clone"


def design(signs: pd.DataFrame, levels: Mapping[str, Sequence]) -> alt.Chart:
    """The design in one picture: which cell has which level of which factor.

    Parameters
    ----------
    signs : DataFrame, shape [cell, factor]
        −1 and 1.
    levels : mapping
        Of each factor its low and its high level.
    """
    rows = signs.rename_axis("cell").reset_index().melt("cell", var_name="factor", value_name="sign")
    rows["level"] = [str(levels[f][(s + 1) // 2]) for f, s in zip(rows.factor, rows.sign, strict=True)]
    base = parts.chart_of(rows).encode(
        alt.X("cell:N", title="cell", axis=alt.Axis(labelAngle=0)),
        alt.Y("factor:N", title=None, sort=list(levels)),
    )
    colours = alt.Scale(domain=["low", "high"], range=["#80808030", theme.MEANING_SCORE])
    squares = base.transform_calculate(is_at="datum.sign > 0 ? 'high' : 'low'").mark_rect(stroke="white")
    return parts.finish(
        squares.encode(
            alt.Color("is_at:N", title="level", scale=colours), tooltip=parts.tips("cell", "factor", "level")
        ).properties(width="container", height=24 * rows.factor.nunique()),
        alt.Title("Half of all 32 combinations", subtitle="each factor is high in 8 of 16 cells"),
        f"Which of {len(signs)} cells has the high level of {', '.join(levels)}.",
    )


def effects(table: pd.DataFrame) -> alt.FacetChart:
    """What each factor and each pair does to each outcome: a dot with its interval, around 0.

    Parameters
    ----------
    table : DataFrame
        ``outcome`` (a key of :data:`OUTCOMES`), ``term``, ``effect``, ``low``, ``high``; ``floor`` (the same
        before training) and ``ceiling`` (what a clone has more than languages with nothing in common).
    """
    parts.need(table, ["outcome", "term", "effect", "low", "high", "floor", "ceiling"])
    beyond = ((table.low > 0) | (table.high < 0)).map({True: "leaves out 0", False: "holds 0"})
    rows = _named(table).assign(interval=beyond, floor_at=table.floor.fillna(table.effect))
    base, y = parts.chart_of(rows), alt.Y("term:N", title=None, sort=list(dict.fromkeys(rows.term)))
    colour = alt.Color(
        "interval:N",
        title="interval",
        scale=alt.Scale(domain=["leaves out 0", "holds 0"], range=[theme.MEANING_SCORE, theme.BASELINE]),
    )
    drawn = alt.layer(
        parts.zero(base, "x"),
        _ceiling(base, "x"),
        base.mark_tick(thickness=3, height=10, color=theme.BASELINE).encode(
            y, alt.X("floor_at:Q"), opacity=FLOOR
        ),
        base.mark_rule(strokeWidth=2).encode(y, alt.X("low:Q"), alt.X2("high:Q"), colour),
        base.mark_point(size=60, opacity=1).encode(
            y,
            alt.X("effect:Q", title="high level less low level"),
            colour,
            tooltip=parts.tips("outcome", "term", effect=".3f", low=".3f", high=".3f"),
        ),
    )
    return parts.finish(
        _panels(drawn, rows, height={"step": 18}, x="independent"),
        alt.Title(titles.effects(rows), subtitle=LEVELS),
        f"Effects of {rows.term.nunique()} factors and pairs on {rows.outcome.nunique()} outcomes.",
    )


def interaction(table: pd.DataFrame, one: str, other: str) -> alt.FacetChart:
    """Means at the four combinations of two factors: lines that are not parallel interact.

    Parameters
    ----------
    table : DataFrame
        ``outcome``, the columns ``one`` and ``other`` with levels as text, ``value``, ``low``, ``high``,
        ``floor`` and ``ceiling``.
    """
    parts.need(table, ["outcome", one, other, "value", "low", "high", "floor", "ceiling"])
    rows = _named(table)
    x = alt.X(f"{one}:N", title=one, sort=list(dict.fromkeys(rows[one])), axis=alt.Axis(labelAngle=0))
    tooltip = parts.tips(one, other, value=".3f", low=".3f", high=".3f")
    drawn = _means(rows, x, alt.Y("value:Q", title=None), other, parts.series_colour(rows, other), tooltip)
    return parts.finish(
        _panels(drawn, rows, height=180, y="independent"),
        alt.Title(titles.interaction(rows, one, other), subtitle=LEVELS),
        f"Means of outcomes at the levels of {one} and {other}.",
    )


def by_cell(table: pd.DataFrame) -> alt.FacetChart:
    """Outcomes of some cells side by side, beside the floor and the ceiling.

    Parameters
    ----------
    table : DataFrame
        ``outcome``, ``cell``, ``value``, ``low``, ``high``, ``floor`` (of the cell before training) and
        ``ceiling`` (of the outcome: one level for all cells).
    """
    parts.need(table, ["outcome", "cell", "value", "low", "high", "floor", "ceiling"])
    rows = _named(table).assign(floor_at=table.floor.fillna(table.value))
    base, y = parts.chart_of(rows), alt.Y("cell:N", title=None, sort=list(dict.fromkeys(rows.cell)))
    drawn = alt.layer(
        _ceiling(base, "x"),
        base.mark_tick(thickness=3, height=14, color=theme.BASELINE).encode(
            y, alt.X("floor_at:Q"), opacity=FLOOR
        ),
        base.mark_rule(strokeWidth=2).encode(y, alt.X("low:Q"), alt.X2("high:Q")),
        base.mark_point(size=60, opacity=1, color=theme.LANGUAGE_SCORE).encode(
            y,
            alt.X("value:Q", title=None, scale=alt.Scale(zero=False)),
            tooltip=parts.tips("outcome", "cell", value=".3f", low=".3f", high=".3f"),
        ),
    )
    return parts.finish(
        _panels(drawn, rows, height={"step": 22}, x="independent"),
        alt.Title(titles.by_cell(rows), subtitle=LEVELS),
        f"{rows.outcome.nunique()} outcomes of {rows.cell.nunique()} cells, beside floor and ceiling.",
    )


def doses(table: pd.DataFrame, dose: str) -> alt.FacetChart:
    """Outcomes against a dose, a line for each ``series``, beside the floor and the ceiling.

    Parameters
    ----------
    table : DataFrame
        As :func:`by_cell`, with the column ``dose`` (numbers) and ``series`` for ``cell``.
    dose : str
        What the axis says.
    """
    parts.need(table, ["outcome", "dose", "series", "value", "low", "high", "floor", "ceiling"])
    rows = _named(table)
    x, y = alt.X("dose:Q", title=dose), alt.Y("value:Q", title=None, scale=alt.Scale(zero=False))
    tooltip = parts.tips("outcome", "series", dose=".2f", value=".3f", low=".3f", high=".3f")
    drawn = _means(rows, x, y, "series", parts.series_colour(rows, "series", ""), tooltip)
    return parts.finish(
        _panels(drawn, rows, height=180, y="independent"),
        alt.Title(titles.doses(rows), subtitle=LEVELS),
        f"{rows.outcome.nunique()} outcomes against {dose}, beside the untrained and a clone.",
    )


def timeline(table: pd.DataFrame) -> alt.FacetChart:
    """Outcomes through training from the untrained model on, a line for each ``cell``, beside the ceiling.

    Parameters
    ----------
    table : DataFrame
        ``outcome``, ``cell``, ``step``, ``value``, ``low``, ``high``, ``ceiling``.
    """
    parts.need(table, ["outcome", "cell", "step", "value", "low", "high", "ceiling"])
    rows = _named(table)
    base = parts.chart_of(rows)
    drawn = parts.lines(
        base,
        parts.step_axis(rows.step),
        alt.Y("value:Q", title=None),
        parts.series_colour(rows, "cell", ""),
        parts.tips("outcome", "cell", step=",d", value=".3f"),
    )
    return parts.finish(
        _panels(alt.layer(_ceiling(base, "y"), drawn), rows, height=180, y="independent"),
        alt.Title(titles.timeline(rows), subtitle="bands: 95 % intervals · dashed: a clone, at the end"),
        f"{rows.outcome.nunique()} outcomes of {rows.cell.nunique()} cells at {rows.step.nunique()} steps.",
    )


def profiles(table: pd.DataFrame) -> alt.FacetChart:
    """A score in each layer, a panel for each ``cell``, beside the untrained floor.

    Parameters
    ----------
    table : DataFrame
        ``cell``, ``layer``, ``value``, ``low``, ``high``, ``floor``, ``ceiling``.
    """
    parts.need(table, ["cell", "layer", "value", "low", "high", "floor", "ceiling"])
    rows = table.astype({"layer": str})
    base = parts.chart_of(rows)
    drawn = parts.lines(
        base,
        parts.layer_axis(rows.layer),
        alt.Y("value:Q", title="SADS"),
        alt.ColorValue(theme.MEANING_SCORE),
        parts.tips("cell", "layer", value=".3f", low=".3f", high=".3f"),
        null="floor",
    )
    panels = alt.Facet("cell:N", title=None, sort=list(dict.fromkeys(rows.cell)))
    return parts.finish(
        parts.fold(
            alt.layer(_ceiling(base, "y", "cell"), drawn)
            .properties(width=parts.PANEL, height=140)
            .facet(panels, columns=2)
        ),
        alt.Title(titles.profiles(rows), subtitle="bands: 95 % intervals · dashed: untrained; blue: a clone"),
        f"SADS in each layer of {rows.cell.nunique()} cells.",
    )


def agreement(correlations: pd.DataFrame) -> alt.LayerChart:
    """How far outcomes go together over runs: rank correlations, each written into its square.

    Parameters
    ----------
    correlations : DataFrame
        ``one``, ``other`` (keys of :data:`OUTCOMES`), ``value`` in [-1, 1].
    """
    parts.need(correlations, ["one", "other", "value"])
    rows = correlations.assign(**{side: correlations[side].map(OUTCOMES) for side in ("one", "other")})
    names = list(dict.fromkeys(rows.one))
    x, y = parts.square_axes(names, "one", "other")
    base = parts.chart_of(rows).encode(x, y)
    squares = base.mark_rect().encode(
        parts.diverging("value", "rank correlation", "1"), tooltip=parts.tips("one", "other", value=".2f")
    )
    numbers = parts.in_squares(base, "value", len(names), "abs(datum.value) < 0.5", number=".2f")
    return parts.finish(
        (squares + numbers).properties(width="container", height=28 * len(names)),
        titles.agreement(rows),
        f"Rank correlations over runs of {', '.join(names)}.",
    )


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """Outcomes by what the charts call them; ValueError for one that they have no name for."""
    if unknown := sorted(set(table.outcome) - set(OUTCOMES)):
        raise ValueError(f"no outcome {unknown[0]!r}; there are {', '.join(OUTCOMES)}")
    return table.assign(outcome=table.outcome.map(OUTCOMES))


def _means(
    rows: pd.DataFrame, x: alt.X, y: alt.Y, series: str, colour: alt.Color, tooltip: list[alt.Tooltip]
) -> alt.LayerChart:
    """A line for each series with its intervals, beside the same untrained and the clone."""
    base = parts.chart_of(rows.assign(floor_at=rows.floor.fillna(rows.value)))
    floor = base.mark_line(color=theme.BASELINE)
    return alt.layer(
        _ceiling(base, "y"),
        floor.encode(x, alt.Y("floor_at:Q"), alt.Detail(f"{series}:N"), opacity=FLOOR),
        base.mark_rule(strokeWidth=2).encode(x, alt.Y("low:Q"), alt.Y2("high:Q"), colour),
        base.mark_line(point=True).encode(x, y, colour, tooltip=tooltip),
    )


def _ceiling(base: alt.Chart, channel: str, panel: str = "outcome") -> alt.Chart:
    """The clone's level in a panel, dashed."""
    once = base.transform_aggregate(ceiling="mean(ceiling)", groupby=[panel])
    return once.mark_rule(strokeDash=[5, 4], color=theme.MEANING_SCORE).encode(**{channel: "ceiling:Q"})


def _panels(drawn: alt.LayerChart, rows: pd.DataFrame, height, **scales: str) -> alt.FacetChart:
    """A panel for each outcome, two in a row, with scales of their own."""
    names = [name for name in OUTCOMES.values() if name in set(rows.outcome)]
    panels = alt.Facet("outcome:N", title=None, sort=names)
    faceted = drawn.properties(width=parts.PANEL, height=height).facet(panels, columns=2)
    return parts.fold(faceted.resolve_scale(**scales))
