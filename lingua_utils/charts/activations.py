"""Chapter 03: how long sentences are, and how active neurons."""

import altair as alt
import pandas as pd

from lingua_utils.charts import parts, theme, titles


def tokens_by_language(tokens: pd.DataFrame) -> alt.LayerChart:
    """How many tokens a sentence takes in each language, against the mean over languages.

    Parameters
    ----------
    tokens : DataFrame
        ``language`` and ``tokens``, one row per sentence. The bar is the mean, the line the middle half.
    """
    parts.need(tokens, ["language", "tokens"])
    counts = parts.with_names(tokens, "language").groupby("language", sort=False).tokens
    rows = counts.agg(mean="mean", low=lambda n: n.quantile(0.25), high=lambda n: n.quantile(0.75))
    rows = rows.reset_index()
    base = parts.chart_of(rows).encode(alt.Y("language:N", title=None, sort=list(rows.language)))
    mean = alt.Chart(alt.Data(values=[{"mean": float(rows["mean"].mean())}]))
    chart = alt.layer(
        base.mark_bar(height={"band": 0.7}).encode(
            alt.X("mean:Q", title="content tokens per sentence", axis=alt.Axis(tickCount=6)),
            alt.Color("language:N", scale=theme.language_scale(tokens.language.unique()), legend=None),
            tooltip=parts.tips("language", mean=".1f", low=".1f", high=".1f"),
        ),
        base.mark_rule(strokeWidth=2, color=theme.INK).encode(alt.X("low:Q"), alt.X2("high:Q")),
        mean.mark_rule(strokeDash=[5, 4], color=theme.BASELINE).encode(alt.X("mean:Q")),
    )
    return parts.finish(
        chart.properties(width="container", height=24 * len(rows)),
        alt.Title(
            titles.tokens_by_language(tokens), subtitle="lines: middle half · dashed: mean of the bars"
        ),
        f"Content tokens that a sentence takes in {tokens.language.nunique()} languages.",
    )


def activity_by_layer(activity: pd.DataFrame) -> alt.Chart:
    """Share of neurons' values above zero in each layer, one line per language.

    Of very many languages heat strips.

    Parameters
    ----------
    activity : DataFrame
        ``layer``, ``language`` and ``share_positive`` in [0, 1], averaged over the neurons of the layer.
    """
    parts.need(activity, ["layer", "language", "share_positive"])
    if activity.language.nunique() > theme.MANY:
        shade = parts.shade("share_positive", "share above zero", "viridis", [0, 1], "%")
        tooltip = parts.tips(share_positive=".1%")
        strips, table, asked = parts.language_strips(activity, [], ["share_positive"], shade, tooltip)
        return parts.finish(
            strips,
            titles.activity_by_layer(activity),
            f"Share of activations above zero, layer by layer, in {activity.language.nunique()} languages.",
            *table.step_slider(),
            *asked,
            state=table.state(name_layer=False),
        )
    rows = parts.with_names(parts.split_stacks(activity), "language")
    rows = rows[[column for column in ("stack", "layer", "language", "share_positive") if column in rows]]
    # Ten percentage points at least, lest a difference of one look large.
    low, high = float(rows.share_positive.min()), float(rows.share_positive.max())
    around = max(0, 0.1 - (high - low)) / 2
    domain = [max(0, low - around), min(1, high + around)]
    y = parts.share_axis(alt.Y, "share_positive", "share of values above zero", domain=domain)
    x = parts.layer_axis(rows.layer)
    chart = parts.language_lines(parts.chart_of(rows), x, y, activity.language, number=".1%")
    return parts.finish(
        parts.by_stack(chart, rows, height=parts.HEIGHT),
        titles.activity_by_layer(activity),
        f"Share of activations above zero, layer by layer, in {rows.language.nunique()} languages.",
    )


def found_by_tokens(shared: pd.DataFrame) -> alt.LayerChart:
    """How often a translation is found by the counts of tokens alone, for each kind of token.

    Parameters
    ----------
    shared : DataFrame
        ``tokens`` (the kind), ``scripts``, ``found`` with the quartiles ``found_low`` and ``found_high`` over
        pairs of languages, ``chance``.
    """
    parts.need(shared, ["tokens", "scripts", "found", "found_low", "found_high", "chance"])
    base = parts.chart_of(shared).encode(
        alt.Y("tokens:N", title=None, sort=list(dict.fromkeys(shared.tokens))),
        alt.YOffset("scripts:N"),
        parts.series_colour(shared, "scripts", title="languages with"),
    )
    x = parts.share_axis(alt.X, "found", "translations found")
    chance = alt.Chart(alt.Data(values=[{"chance": float(shared.chance.iloc[0])}]))
    chart = alt.layer(
        chance.mark_rule(strokeDash=[5, 4], color=theme.BASELINE).encode(alt.X("chance:Q")),
        base.mark_rule(strokeWidth=2).encode(alt.X("found_low:Q"), alt.X2("found_high:Q")),
        base.mark_point(size=60, opacity=1).encode(
            x, tooltip=parts.tips("tokens", "scripts", found=".1%", found_low=".1%", found_high=".1%")
        ),
    )
    return parts.finish(
        chart.properties(width="container", height=34 * shared.tokens.nunique()),
        alt.Title(
            titles.found_by_tokens(shared),
            subtitle="lines: middle half of the language pairs · dashed: chance",
        ),
        "Share of translations found by the counts of digits, Latin letters, other letters and marks.",
    )
