"""Chapter 06: what silencing a region costs, beside what silencing random neurons costs."""

import altair as alt
import pandas as pd

from lingua_utils.charts import parts, theme


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
    chart = parts.silenced_beside_control(
        silencing, "bits per byte", parts.tips(**dict.fromkeys(columns, "+.4f"), n_neurons=","), kind, worse=1
    )
    return parts.finish(
        chart,
        "What silencing a region costs",
        "Change in bits per byte of each language when each region is silenced, and at random.",
        *kinds,
    )


def selectivity(selectivity: pd.DataFrame) -> alt.FacetChart:
    """How many standard deviations of random regions lie between a region's own cost and the others'.

    Parameters
    ----------
    selectivity : DataFrame
        The ``selectivity`` table of one run: ``rule``, ``region_language``, ``control_kind``,
        ``selectivity``, ``own``, ``others``, ``control_own``, ``control_others``, ``n_neurons``.
    """
    costs = ["own", "others", "control_own", "control_others"]
    parts.need(selectivity, ["rule", "region_language", "control_kind", "selectivity", "n_neurons", *costs])
    rows = parts.with_names(selectivity[selectivity.selectivity.notna()], "region_language")
    kinds, kind = _control_choice(rows.control_kind)
    base = parts.chart_of(rows, kind)
    points = base.mark_point(size=70).encode(
        alt.X("selectivity:Q", title="standard deviations of the controls"),
        alt.Y("region_language:N", title=None, sort=rows.region_language.unique()),
        alt.Color("rule:N", scale=theme.series_scale(parts.rules_of(rows)), legend=None),
        tooltip=parts.tips(
            "rule", "region_language", n_neurons=",", selectivity=".2f", **dict.fromkeys(costs, "+.4f")
        ),
    )
    return parts.finish(
        parts.by_rule((parts.zero(base, "x") + points).properties(width=200, height={"step": 18}), rows),
        alt.Title("Selectivity of each region", subtitle="dashed: as random regions of the same size"),
        "Selectivity of each language's region under each rule, in control standard deviations.",
        *kinds,
    )


def dose_response(dose: pd.DataFrame) -> alt.FacetChart:
    """Cost to the own language and to the others as more of a region is silenced, strongest neurons first.

    Parameters
    ----------
    dose : DataFrame
        The ``dose`` table of one run: ``rule``, ``region_language``, ``share``, ``own``, ``own_low``,
        ``own_high``, ``others``, ``others_low``, ``others_high``.
    """
    texts = {"own": "its own language", "others": "the other languages"}
    parts.need(
        dose,
        [
            "rule",
            "region_language",
            "share",
            *(text + part for text in texts for part in ("", "_low", "_high")),
        ],
    )
    rows = pd.concat(
        dose[["rule", "region_language", "share", text, f"{text}_low", f"{text}_high"]]
        .set_axis(["rule", "region_language", "share", "change", "low", "high"], axis=1)
        .assign(text_language=name)
        for text, name in texts.items()
    )
    rows = parts.with_names(rows, "region_language")
    keys = ["rule", "share", "text_language"]
    mean = rows.groupby(keys, as_index=False, sort=False)[["change", "low", "high"]].mean()
    rows = pd.concat([mean.assign(region_language="mean"), rows])
    regions, region = parts.choice("region_language", rows.region_language.unique(), label="region of")
    base = parts.chart_of(rows, region)
    colours = alt.Scale(domain=list(texts.values()), range=[theme.LANGUAGE_SCORE, theme.MEANING_SCORE])
    drawn = parts.lines(
        base,
        parts.share_axis(alt.X, "share", "share of the region silenced"),
        alt.Y("change:Q", title="change in bits per byte"),
        alt.Color("text_language:N", title="text in", scale=colours),
        parts.tips("rule", "text_language", share=".0%", change="+.4f"),
    )
    chart = parts.by_rule((parts.zero(base, "y") + drawn).properties(width=230, height=180), rows)
    return parts.finish(
        chart.resolve_scale(y="independent"),
        alt.Title("Dose and response", subtitle="bands: 95 % intervals over sentences"),
        "Cost of silencing growing shares of a region, to its own and to the other languages.",
        *regions,
    )
