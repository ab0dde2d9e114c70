"""Chapter 05: which neurons are whose, how many by chance, and where they lie."""

import altair as alt
import pandas as pd

from lingua_utils.charts import parts, theme, titles

CHANCE = "by chance"


def null_shares(null: pd.DataFrame) -> alt.LayerChart:
    """Share of all neurons that each rule calls key to some language, beside its two nulls.

    Parameters
    ----------
    null : DataFrame
        The ``region_null`` table of one run: ``rule``, ``share``, ``share_shuffled``; and
        ``share_untrained``, which may be missing or NaN where no untrained twin was measured.
    """
    what = {"share": "as it is", "share_shuffled": "languages shuffled", "share_untrained": "untrained twin"}
    parts.need(null, ["rule", "share", "share_shuffled"])
    rows = null.melt("rule", [name for name in what if name in null], "of", "of_all").dropna()
    rows = rows.replace({"of": what})
    shown = [name for name in what.values() if name in set(rows["of"])]
    colours = [theme.MEANING_SCORE, theme.BASELINE, theme.UNTRAINED][: len(shown)]
    base = parts.chart_of(rows).encode(
        alt.Y("rule:N", title=None, sort=parts.rules_of(null)),
        parts.share_axis(alt.X, "of_all", "share of all neurons"),
        tooltip=parts.tips("rule", "of", of_all=".1%"),
    )
    colour = alt.Color("of:N", title=None, scale=alt.Scale(domain=shown, range=colours))
    shape = alt.Shape("of:N", title=None, scale=alt.Scale(domain=shown, range=["circle", "cross", "diamond"]))
    of_model = base.transform_filter(f"datum.of == '{shown[0]}'")
    drawn = alt.layer(
        of_model.mark_bar(height=3, opacity=0.4).encode(colour),
        base.mark_point(size=90, opacity=1).encode(colour, shape),
        of_model.mark_text(dy=-11, color=theme.INK).encode(text=alt.Text("of_all:Q", format=".1%")),
    )
    without = "no untrained twin measured" if what["share_untrained"] not in shown else alt.Undefined
    return parts.finish(
        drawn.properties(width="container", height=40 * len(null)),
        alt.Title(titles.null_shares(null), subtitle=without),
        f"Share of neurons called key by each rule: {', '.join(shown)}.",
    )


def region_atlas(counts: pd.DataFrame) -> alt.LayerChart:
    """How much of every layer is key to each language: one strip per language, a slider over checkpoints.

    Very many languages are shown by family, or searched for.

    Parameters
    ----------
    counts : DataFrame
        ``region_counts`` of one run, or collated over the checkpoints of one model: ``rule``, ``layer``,
        ``layer_index``, ``language``, ``count``, ``share``, ``expected``.
    """
    values = ["count", "share", "expected"]
    parts.need(counts, ["rule", "layer", "layer_index", "language", *values])
    if counts.language.nunique() > theme.MANY:
        rules, rule = parts.rule_choice(counts)
        shade = parts.shade(
            "share", "share of the layer's neurons", "blues", [0, counts.share.max() or 1], "%"
        )
        tooltip = parts.tips("rule", count=",.1f", expected=".1f")
        strips, table, asked = parts.language_strips(counts, ["rule"], values, shade, tooltip)
        return parts.finish(
            strips.transform_filter(rule),
            titles.region_atlas(counts),
            f"Share of each layer's neurons that is key to each of {counts.language.nunique()} languages.",
            *rules,
            *table.step_slider(),
            *asked,
            state=table.state(name_layer=False),
        )
    title = titles.region_atlas(counts)
    counts = parts.with_names(parts.split_stacks(counts), "language")
    names = list(dict.fromkeys(counts.language))
    place = [
        name for name in ("rule", *parts.stack_keys(counts), "layer", "layer_index", "step") if name in counts
    ]
    by_chance = counts.groupby(place, sort=False, dropna=False).expected.mean().reset_index()
    by_chance = by_chance.assign(language=CHANCE, count=by_chance.expected)
    rows = pd.concat([counts[[*place, "language", *values]], by_chance])
    strips = rows.assign(strip=rows.layer, layer="all", layer_index=0)
    keys = ["rule", "language", *parts.stack_keys(counts), "strip"]
    table = parts.SliderTable.pack(strips, keys, values, decimals=4)
    rules, rule = parts.rule_choice(counts)
    layers = counts.sort_values("layer_index").layer
    base = (
        table.chart()
        .transform_filter(rule)
        .transform_calculate(**{name: table.pick(name) for name in values})
        .encode(
            parts.layer_axis(layers, field="strip"),
            alt.Y(
                "language:N",
                title=None,
                sort=[*names, CHANCE],
                axis=alt.Axis(labelExpr=parts.BROKEN_NAME, labelLineHeight=11),
            ),
        )
    )
    most = parts.reach_of(counts, ["count"], "rule")
    pale = f"datum.count < ({most}) / 2"
    width = parts.PANEL if parts.paired(counts) else "width"
    squares = base.mark_rect(stroke=theme.RULE).encode(
        parts.tint("count", "key neurons", theme.MEANING_SCORE, most, ",.0f"),
        tooltip=parts.tips("language", "strip", count=",.1f", share=".1%", expected=".1f"),
    )
    numbers = parts.in_squares(base, "count", layers.nunique(), pale, number=",.0f", width=width)
    return parts.finish(
        parts.by_stack(squares + numbers, counts, height=24 * (len(names) + 1)),
        alt.Title(title, subtitle="last row: mean over languages, shuffled"),
        f"Key neurons of each of {len(names)} languages in each layer, and by chance.",
        *table.sliders(),
        *rules,
        state=table.state(name_layer=False),
    )


def concentration(concentration: pd.DataFrame) -> alt.FacetChart:
    """Share of each region in the first and last tenth of the layers, against an even spread.

    Parameters
    ----------
    concentration : DataFrame
        ``region_concentration`` of one run: ``rule``, ``stack``, ``language``, ``share_outer``, ``low``,
        ``high``, ``uniform``, ``n_neurons``.
    """
    parts.need(concentration, ["rule", "language", "share_outer", "low", "high", "uniform", "n_neurons"])
    rows = parts.with_names(concentration[concentration.n_neurons > 0], "language")
    numbers = ["share_outer", "low", "high", "uniform", "n_neurons"]
    rows = parts.averaged(rows, ["rule", "stack", "language"], numbers)
    colour = alt.Color("rule:N", scale=theme.series_scale(parts.rules_of(rows)), legend=None)
    every = parts.chart_of(rows)
    base = every.encode(alt.Y("language:N", title=None, sort=list(dict.fromkeys(rows.language))), colour)
    drawn = alt.layer(
        every.mark_rule(strokeDash=[5, 4], color=theme.BASELINE).encode(alt.X("uniform:Q")),
        base.mark_rule(strokeWidth=2).encode(alt.X("low:Q"), alt.X2("high:Q")),
        base.mark_point(size=50).encode(
            parts.share_axis(alt.X, "share_outer", "share in the outer layers"),
            tooltip=parts.tips("rule", "language", n_neurons=",", share_outer=".1%", uniform=".1%"),
        ),
    )
    return parts.finish(
        parts.by_rule(drawn.properties(width=200, height={"step": 18}), rows),
        alt.Title(
            titles.concentration(concentration),
            subtitle=parts.by_language(
                concentration.language,
                "first and last tenth of the layers · lines: 95 % intervals · dashed: an even spread",
            ),
        ),
        "Share of each language's key neurons in the outer layers, with an even spread as baseline.",
    )


def region_overlap(overlap: pd.DataFrame) -> alt.LayerChart:
    """Jaccard overlap of every two languages' regions; the colour is what exceeds chance.

    Parameters
    ----------
    overlap : DataFrame
        ``region_overlap`` of one run: ``rule``, ``stack``, ``source``, ``target``, ``jaccard``, ``chance``.
    """
    parts.need(overlap, ["rule", "source", "target", "jaccard", "chance"])
    rows = overlap.assign(excess=overlap.jaccard - overlap.chance)
    if (rows.target == parts.OTHERS).any():
        return _overlap_strips(rows)
    numbers = ["jaccard", "chance", "excess"]
    rows = parts.with_names(rows, "source", "target")
    rows = parts.averaged(rows, ["rule", "stack", "source", "target"], numbers)
    names = list(dict.fromkeys(rows.source))
    # The overlap of a pair is the same either way round; a family has one with itself.
    place = {name: at for at, name in enumerate(names)}
    rows = rows[rows.source.map(place) >= rows.target.map(place)]
    # By a rule that gives a neuron to one language at most no two regions overlap.
    sharing = parts.rules_of(rows[rows.jaccard > 0])
    rules, rule = parts.choice("rule", parts.rules_of(rows), first=next(iter(sharing), None))
    base = parts.chart_of(rows, rule).encode(
        *parts.square_axes(names, "target", "source"),
        tooltip=parts.tips("rule", "source", "target", jaccard=".3f", chance=".3f"),
    )
    reach = parts.reach_of(rows, ["excess"], "rule")
    width = parts.PANEL if parts.paired(rows) else "width"
    squares = base.mark_rect(stroke=theme.RULE).encode(
        parts.diverging("excess", "overlap beyond chance", reach, "+.0%")
    )
    # Two empty regions have no overlap.
    known = base.transform_filter("isValid(datum.jaccard)").transform_calculate(percent="100 * datum.jaccard")
    numbers = parts.in_squares(
        known, "percent", len(names), f"abs(datum.excess) < ({reach}) / 2", width=width
    )
    return parts.finish(
        parts.by_stack(squares + numbers, rows, height=parts.HEIGHT),
        alt.Title(titles.region_overlap(overlap), subtitle="numbers: Jaccard index in percent"),
        f"Heat map of the overlap of {len(names)} languages' regions, beyond chance.",
        *rules,
    )


def _overlap_strips(rows: pd.DataFrame) -> alt.Chart:
    """Overlap of very many languages' regions with a pivot's, those of their families, and all others'."""
    targets = list(dict.fromkeys(rows.target))
    rows = rows.assign(
        language=rows.source,
        layer=rows.target.map(parts.target_name),
        layer_index=rows.target.map(targets.index),
    )
    rules, rule = parts.rule_choice(rows)
    stacks, stack = parts.choice("stack", list(dict.fromkeys(rows["stack"])))
    shade = parts.diverging("excess", "overlap beyond chance", str(rows.excess.abs().max()), "+.0%")
    tooltip = parts.tips("rule", jaccard=".3f", chance=".3f")
    numbers = ["excess", "jaccard", "chance"]
    strips, table, asked = parts.language_strips(rows, ["rule", "stack"], numbers, shade, tooltip, "with")
    return parts.finish(
        strips.transform_filter(rule).transform_filter(stack),
        titles.region_overlap(rows),
        f"Overlap of the regions of {rows.source.nunique()} languages with others, beyond chance.",
        *rules,
        *stacks,
        *table.step_slider(),
        *asked,
    )


def region_agreement(agreement: pd.DataFrame) -> alt.LayerChart:
    """How far every two rules select the same neurons: a point per language, the tick is chance.

    Parameters
    ----------
    agreement : DataFrame
        ``region_agreement`` of one run: ``rule_a``, ``rule_b``, ``stack``, ``language``, ``jaccard``,
        ``chance``.
    """
    parts.need(agreement, ["rule_a", "rule_b", "language", "jaccard", "chance"])
    rows = parts.with_names(agreement, "language").assign(rules=agreement.rule_a + " · " + agreement.rule_b)
    rows = parts.averaged(rows, ["rules", "stack", "language"], ["jaccard", "chance"])
    many = agreement.language.nunique() > theme.MANY
    base = parts.chart_of(rows).encode(alt.Y("rules:N", title=None, sort=list(dict.fromkeys(rows.rules))))
    points = base.mark_point(size=60, opacity=0.85).encode(
        alt.X("jaccard:Q", title="Jaccard overlap", axis=alt.Axis(tickCount=5)),
        alt.Color(
            "language:N",
            scale=theme.language_scale(agreement.language.unique()),
            title=None,
            legend=None if many else theme.language_legend(),
        ),
        tooltip=parts.tips("rules", "language", jaccard=".3f", chance=".3f"),
    )
    chance = base.mark_tick(thickness=2, color=theme.BASELINE).encode(alt.X("mean(chance):Q"))
    return parts.finish(
        parts.by_stack(chance + points, rows, height=30 * rows.rules.nunique()),
        alt.Title(
            titles.region_agreement(agreement),
            subtitle=parts.by_language(agreement.language, "ticks: chance"),
        ),
        "Overlap of the regions that every two rules select, for each language, with chance.",
    )
