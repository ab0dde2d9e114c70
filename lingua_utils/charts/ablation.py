"""Chapter 06: what silencing a region costs, beside what silencing random neurons costs."""

import altair as alt
import numpy as np
import pandas as pd

from lingua_utils.charts import parts, theme, titles

OWN, OTHERS, RANDOM = "its own language", "the other languages", "its own, at random"


def _control_choice(kinds: pd.Series) -> tuple[list[alt.Parameter], str]:
    return parts.choice("control_kind", kinds.unique(), label="controls matched by")


def silencing_matrix(silencing: pd.DataFrame) -> alt.HConcatChart:
    """Change in bits per byte of every language when each region is silenced; the random controls beside it.

    Parameters
    ----------
    silencing : DataFrame
        The ``silencing`` table of one run: ``rule``, ``region_language``, ``text_language``,
        ``control_kind``, ``change``, ``low``, ``high``, ``control_mean``, ``control_sd``, ``n_neurons``.
    """
    columns = ["change", "low", "high", "control_mean", "control_sd"]
    parts.need(silencing, ["rule", "region_language", "text_language", "control_kind", "n_neurons", *columns])
    kinds, kind = _control_choice(silencing.control_kind)
    shown = ("change", "control_mean")
    reach = parts.reach_of(silencing, shown, "rule")
    tooltip = parts.tips(**dict.fromkeys(columns, "+.4f"), n_neurons=",")
    above = silencing.low > silencing.control_mean + 2 * silencing.control_sd.fillna(0)
    rows = silencing.assign(above=above, number=1000 * silencing.change)
    chart = parts.silenced_beside_control(
        rows,
        shown,
        lambda column: parts.diverging(column, "change in bits per byte", reach, "+.3f", worse=1),
        tooltip,
        f"datum.change < ({reach}) / 2",
        kind,
    )
    return parts.finish(
        chart,
        alt.Title(
            titles.silencing_matrix(rows[rows.control_kind == rows.control_kind.iloc[0]]),
            subtitle="numbers: thousandths of a bit per byte, where the 95 % interval lies above random "
            "neurons by 2 standard deviations",
        ),
        "Change in bits per byte of each language when each region is silenced, and at random.",
        *kinds,
    )


def perplexity_matrix(perplexity: pd.DataFrame) -> alt.HConcatChart:
    """Perplexity of every language when each region is silenced, over intact; random neurons beside it.

    Parameters
    ----------
    perplexity : DataFrame
        The ``perplexity`` table of one run: ``rule``, ``region_language``, ``text_language``, ``measure``,
        ``n_neurons``, ``ratio``, ``low``, ``high``, ``control_ratio``, ``control_low``, ``control_high``.
    """
    numbers = ["ratio", "low", "high", "control_ratio", "control_low", "control_high"]
    parts.need(perplexity, ["rule", "region_language", "text_language", "measure", "n_neurons", *numbers])
    shown = ("ratio", "control_ratio")
    # Half and twice are equally far from 1, which has no colour.
    logs = {f"{name}_log": np.log2(perplexity[name]) for name in shown}
    rows = perplexity.assign(
        **logs, above=perplexity.low > perplexity.control_high, number=100 * (perplexity.ratio - 1)
    )
    reach = parts.reach_of(rows, list(logs), "rule")
    measure = perplexity.measure.iloc[0]
    return parts.finish(
        parts.silenced_beside_control(
            rows,
            tuple(logs),
            lambda column: parts.diverging(column, f"doublings of {measure}", reach, "+.3f", worse=1),
            parts.tips(**dict.fromkeys(numbers, ".3f"), n_neurons=","),
            f"datum.ratio_log < ({reach}) / 2",
        ),
        alt.Title(
            titles.perplexity_matrix(rows),
            subtitle=f"numbers: percent more {measure}, where the 95 % interval lies above random neurons",
        ),
        f"Ratio to intact of each language's {measure} when each region is silenced, and at random.",
    )


def selectivity(selectivity: pd.DataFrame) -> alt.FacetChart:
    """How much more each region costs its own language than the others, beside random regions.

    Parameters
    ----------
    selectivity : DataFrame
        The ``selectivity`` table of one run: ``rule``, ``region_language``, ``control_kind``,
        ``difference``, ``difference_low``, ``difference_high``, ``control_difference``,
        ``control_difference_sd``, ``excess``, ``excess_low``, ``excess_high``, ``selectivity``,
        ``n_neurons``.
    """
    costs = ["difference", "difference_low", "difference_high", "control_difference", "control_difference_sd"]
    excess = ["excess", "excess_low", "excess_high"]
    parts.need(
        selectivity,
        ["rule", "region_language", "control_kind", "selectivity", "n_neurons", *costs, *excess],
    )
    # An empty region costs nothing and has nothing to be compared with.
    rows = parts.with_names(selectivity[selectivity.n_neurons > 0], "region_language")
    keys = ["rule", "region_language", "control_kind"]
    rows = parts.averaged(rows, keys, ["selectivity", "n_neurons", *costs, *excess])
    spread = 2 * rows.control_difference_sd.fillna(0)
    rows = rows.assign(
        control_low=rows.control_difference - spread, control_high=rows.control_difference + spread
    )
    kinds, kind = _control_choice(rows.control_kind)
    base = parts.chart_of(rows, kind).encode(
        alt.Y("region_language:N", title=None, sort=list(dict.fromkeys(rows.region_language)))
    )
    rule = alt.Color("rule:N", scale=theme.series_scale(parts.rules_of(rows)), legend=None)
    drawn = alt.layer(
        parts.zero(base, "x"),
        base.mark_rule(strokeWidth=6, opacity=0.45, color=theme.BASELINE).encode(
            alt.X("control_low:Q"), alt.X2("control_high:Q")
        ),
        base.mark_tick(thickness=2, color=theme.BASELINE).encode(alt.X("control_difference:Q")),
        base.mark_rule(strokeWidth=2).encode(alt.X("difference_low:Q"), alt.X2("difference_high:Q"), rule),
        base.mark_point(size=50, filled=True, opacity=1).encode(
            alt.X("difference:Q", title="own less others, bits per byte", axis=alt.Axis(tickCount=4)),
            rule,
            tooltip=parts.tips(
                "rule",
                "region_language",
                n_neurons=",",
                **dict.fromkeys(costs + excess, "+.4f"),
                selectivity=".1f",
            ),
        ),
    )
    return parts.finish(
        parts.by_rule(drawn.properties(width=200, height={"step": 18}), rows),
        alt.Title(
            titles.selectivity(selectivity),
            subtitle=parts.by_language(
                selectivity.region_language,
                "lines: 95 % intervals over sentences · grey: random regions of the same size, "
                "± 2 standard deviations",
            ),
        ),
        "What each region costs its own language more than the others, and what random regions do.",
        *kinds,
    )


def dose_response(dose: pd.DataFrame) -> alt.FacetChart:
    """Cost to the own language and to the others as more of a region is silenced, strongest neurons first.

    Parameters
    ----------
    dose : DataFrame
        The ``dose`` table of one run: ``rule``, ``region_language``, ``share``, ``own``, ``own_low``,
        ``own_high``, ``others``, ``others_low``, ``others_high``; where all of the region is silenced
        ``control_own``, ``control_own_low``, ``control_own_high``, elsewhere NaN.
    """
    texts = {"own": OWN, "others": OTHERS, "control_own": RANDOM}
    keys = ["rule", "region_language", "share"]
    parts.need(dose, [*keys, *(text + part for text in texts for part in ("", "_low", "_high"))])
    rows = pd.concat(
        dose[[*keys, text, f"{text}_low", f"{text}_high"]]
        .set_axis([*keys, "change", "low", "high"], axis=1)
        .assign(text_language=name)
        for text, name in texts.items()
    )
    numbers, keys = ["change", "low", "high"], ["rule", "share", "text_language"]
    rows = rows[rows.change.notna()]
    mean = rows.groupby(keys, as_index=False, sort=False)[numbers].mean()
    rows = parts.averaged(parts.with_names(rows, "region_language"), [*keys, "region_language"], numbers)
    rows = pd.concat([mean.assign(region_language="mean"), rows])
    regions, region = parts.choice("region_language", rows.region_language.unique(), label="region of")
    base = parts.chart_of(rows, region)
    colours = alt.Scale(
        domain=list(texts.values()), range=[theme.LANGUAGE_SCORE, theme.MEANING_SCORE, theme.BASELINE]
    )
    x = parts.share_axis(alt.X, "share", "share of the region silenced", domain=[0, 1])
    legend = alt.Legend(orient="top", columns=1)
    colour = alt.Color("text_language:N", title="cost to", scale=colours, legend=legend)
    drawn = parts.lines(
        base,
        x,
        alt.Y("change:Q", title="change in bits per byte"),
        colour,
        parts.tips("rule", "text_language", share=".0%", change="+.4f", low="+.4f", high="+.4f"),
    )
    # Random regions are at one share, where a band has no width.
    of_random = base.transform_filter(f"datum.text_language == '{RANDOM}'")
    drawn += of_random.mark_rule(strokeWidth=6, opacity=0.5).encode(
        x, alt.Y("low:Q"), alt.Y2("high:Q"), colour
    )
    return parts.finish(
        parts.by_rule((parts.zero(base, "y") + drawn).properties(width=230, height=180), rows),
        alt.Title(
            titles.dose_response(dose),
            subtitle="strongest neurons first · bands, lines: 95 % intervals; of the mean, their means",
        ),
        "Cost of silencing growing shares of a region, to its own and to the other languages, and at random.",
        *regions,
    )
