"""The figure of the first page: a real model from layer to layer, beside a small one through its training."""

import altair as alt
import pandas as pd

from lingua_utils.charts import parts, theme

_COLOURS = {"model": theme.MEANING_SCORE, "untrained twin": theme.UNTRAINED, "control": theme.LANGUAGE_SCORE}
_MEASURES = {
    "SADS": parts.SCORES["sads"],
    "translations found": "translations found",
    "LRDS": parts.SCORES["lrds"],
}


def real_beside_lab(table: pd.DataFrame, title: str) -> alt.HConcatChart:
    """Three measures of a real model by layer, and of the lab's through training, each beside its nulls.

    The two columns stand below one another in a narrow window.

    Parameters
    ----------
    table : DataFrame
        ``part`` ("real", "lab": those there are get a column), ``model_id``, ``training_seed``, ``series``
        ("model", "untrained twin", "control"), ``measure`` (SADS, translations found, LRDS), ``layer`` and
        ``layer_index`` of the real model, ``step`` of the lab's, ``value``, ``low``, ``high``, ``null_low``,
        ``null_high``. A training with another seed is a line of its own.
    title : str
        What the figure shows, in words.
    """
    parts.need(
        table, ["part", "model_id", "training_seed", "series", "measure", "layer_index", "step", "value"]
    )
    rows = parts.with_models(table)
    shown = {part: rows[rows.part == part] for part in ("real", "lab") if (rows.part == part).any()}
    axes = {"real": _layers, "lab": lambda of_lab: parts.step_axis(of_lab.step)}
    titles = {
        part: f"{of_part.model[of_part.series == 'model'].iloc[0]}, "
        + {"real": "a real model, layer by layer", "lab": "trained here, step by step"}[part]
        for part, of_part in shown.items()
    }
    columns = [
        alt.vconcat(
            *(
                _panel(
                    of_part[of_part.measure == measure], rows[rows.measure == measure], axes[part](of_part)
                )
                for measure in _MEASURES
                if (of_part.measure == measure).any()
            ),
            spacing=14,
            title=alt.Title(titles[part], fontSize=12, fontWeight=500),
        )
        for part, of_part in shown.items()
    ]
    return parts.finish(
        parts.fold(alt.hconcat(*columns, spacing=30)),
        alt.Title(
            title,
            subtitle="bands: 95 % intervals · grey: shuffled sentences or chance",
        ),
        f"Standardised SADS, translations found and LRDS of {' and of '.join(titles.values())}, with "
        "intervals, beside what chance gives, the untrained twin and the control.",
    )


def _layers(rows: pd.DataFrame) -> alt.X:
    last = int(rows.layer_index.max())
    axis = alt.Axis(values=list(range(0, last + 1, 1 + last // 10)), format="d", grid=False)
    return alt.X("layer_index:Q", title="layer", scale=alt.Scale(nice=False), axis=axis)


def _panel(rows: pd.DataFrame, of_measure: pd.DataFrame, x: alt.X) -> alt.LayerChart:
    """One measure of one part; its axis reaches as far as that of the other part."""
    measure = rows.measure.iloc[0]
    low, high = min(0, of_measure.low.min()), of_measure.high.max()
    axis = alt.Axis(tickCount=4, format="%" if measure == "translations found" else ".1f")
    y = alt.Y("value:Q", title=None, axis=axis, scale=alt.Scale(domain=[float(low), float(high)], nice=True))
    names = [name for name in _COLOURS if (of_measure.series == name).any()]
    colour = alt.Color(
        "series:N", title=None, scale=alt.Scale(domain=names, range=[_COLOURS[name] for name in names])
    )
    place = x.shorthand.partition(":")[0]
    columns = ["series", "training_seed", place, "value", "low", "high", "null_low", "null_high"]
    base = parts.chart_of(rows[columns]).encode(x, alt.Detail("training_seed:N"))
    grey = {"color": theme.BASELINE}
    tips = parts.tips("series", "training_seed", place, **dict.fromkeys(("value", "low", "high"), ".3f"))
    return alt.layer(
        base.mark_area(opacity=0.3, **grey).encode(
            alt.Y("null_low:Q"), alt.Y2("null_high:Q"), alt.Detail(["training_seed:N", "series:N"])
        ),
        base.mark_line(strokeDash=[4, 4], strokeWidth=1.2, **grey).encode(
            alt.Y("null_high:Q"), alt.Detail(["training_seed:N", "series:N"])
        ),
        base.mark_area(opacity=0.2).encode(alt.Y("low:Q"), alt.Y2("high:Q"), colour),
        base.mark_line(point=alt.OverlayMarkDef(size=22)).encode(y, colour, tooltip=tips),
    ).properties(
        width=parts.PANEL,
        height=105,
        title=alt.Title(_MEASURES[measure], fontSize=11, offset=4, frame="group"),
    )
