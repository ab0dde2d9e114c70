"""Chapter 04: alike within a language, alike for a meaning."""

import altair as alt
import pandas as pd

from lingua_utils.charts import parts, theme, titles


def scores_by_layer(similarity: pd.DataFrame, scale: str = "standardised") -> alt.LayerChart:
    """LRDS and SADS of each layer at one checkpoint, with intervals and the shuffled null.

    A list chooses the scale. With the limits of :func:`~lingua_utils.measure.similarity.with_limits` these
    are drawn as well.

    Parameters
    ----------
    similarity : DataFrame
        The ``similarity`` table of one run.
    scale : {"standardised", "centred", "raw"}
        Which scores to show first.
    """
    parts.need(similarity, ["layer", "layer_index", "kind", "scale", "lrds", "sads"])
    table = parts.split_stacks(similarity.query("layer != 'all'").sort_values("layer_index", kind="stable"))
    rows = parts.long_scores(table, [*parts.stack_keys(table), "layer", "kind", "scale"])
    kinds, kind = parts.kind_choice(rows.kind)
    scales, at_scale = parts.scale_choice(rows, scale)
    base, x = parts.chart_of(rows, kind, at_scale), parts.layer_axis(table.layer)
    chart = parts.score_lines(base, x, parts.score_colour(), "layer", "kind", "scale")
    bands = f"{parts.BANDS} · {parts.LIMITS}" if "limit" in rows else parts.BANDS
    return parts.finish(
        parts.by_stack(chart, rows, height=parts.HEIGHT),
        alt.Title(titles.scores_by_layer(similarity, scale), subtitle=bands),
        f"LRDS and SADS in {table.layer_index.nunique()} layers, with 95 % intervals and the shuffled band.",
        *scales,
        *kinds,
    )


def scores_by_scale(similarity: pd.DataFrame, scales: pd.DataFrame) -> alt.HConcatChart:
    """SADS and retrieval of each layer on each scale, and how much of the variance three neurons hold.

    Parameters
    ----------
    similarity : DataFrame
        The ``similarity`` table of one run.
    scales : DataFrame
        The ``scales`` table of the same run.
    """
    parts.need(similarity, ["layer", "layer_index", "kind", "scale", "sads", "sads_low", "sads_high"])
    parts.need(scales, ["layer", "layer_index", "scale", "found", "found_low", "found_high", "chance"])
    parts.need(scales, ["top_three"])
    keys = ["layer", "layer_index", "scale"]
    sads = similarity.query("kind == 'all'")[[*keys, "sads", "sads_low", "sads_high", "sads_null"]]
    found = scales[[*keys, "found", "found_low", "found_high", "chance"]]
    held = scales.query("scale == 'raw'")[[*keys, "top_three"]]
    names = [*keys, "value", "low", "high", "null"]
    colour = parts.series_colour(similarity, "scale")

    def panel(title: str, table: pd.DataFrame) -> alt.LayerChart | alt.Chart | alt.FacetChart:
        rows = table.set_axis(names[: table.shape[1]], axis=1).sort_values("layer_index", kind="stable")
        rows = parts.split_stacks(rows[rows.layer != "all"])
        base, x = parts.chart_of(rows.drop(columns="layer_index")), parts.layer_axis(rows.layer)
        y, numbers = alt.Y("value:Q", title=None), [name for name in names[2:] if name in rows]
        tooltip = parts.tips("layer", "scale", **dict.fromkeys(numbers[1:], ".3f"))
        if "null" in rows:
            drawn = parts.lines(base, x, y, colour, tooltip, null="null")
        else:
            drawn = base.mark_line(point=True).encode(x, y, colour, tooltip=tooltip)
        drawn = drawn.properties(width=parts.PANEL, height=200)
        if parts.paired(rows):
            # Altair gives no name to a panel of panels, and wants one.
            drawn = drawn.properties(name=title.split()[0]).facet(column=parts.stack_panels(alt.Column))
        return drawn.properties(title=title)

    panels = {"SADS · same meaning": sads, "translations found": found, "variance in three neurons": held}
    chart = parts.fold(alt.hconcat(*(panel(title, table) for title, table in panels.items())))
    return parts.finish(
        chart,
        alt.Title(
            titles.scores_by_scale(similarity, scales),
            subtitle="bands: 95 % of SADS, middle half of the language pairs · dashed: null, chance",
        ),
        f"SADS and retrieval on {similarity.scale.nunique()} scales, layer by layer, and the share of the "
        "variance that lies in three neurons.",
    )


def scores_by_pairs(scores: pd.DataFrame) -> alt.FacetChart:
    """LRDS and SADS of each layer over different sets of language pairs, with intervals and nulls.

    Parameters
    ----------
    scores : DataFrame
        The ``similarity_by_script`` table of one run, or another with a column ``pairs`` that names the set.
    """
    parts.need(scores, ["pairs", "layer", "layer_index", "lrds", "sads"])
    table = scores[scores.layer != "all"].sort_values("layer_index")
    rows = parts.long_scores(table, ["pairs", "layer"])
    colour = parts.series_colour(rows, "pairs", title="languages with")
    drawn = parts.score_lines(parts.chart_of(rows), parts.layer_axis(table.layer), colour, "pairs", "layer")
    return parts.finish(
        parts.by_score(drawn, height=parts.HEIGHT),
        alt.Title(titles.scores_by_pairs(scores), subtitle=parts.BANDS),
        f"LRDS and SADS over {rows.pairs.nunique()} sets of language pairs, layer by layer.",
    )


def variance_shares(variance: pd.DataFrame) -> alt.Chart:
    """What the neurons' variance goes with, layer by layer: the language, the meaning, or neither.

    Parameters
    ----------
    variance : DataFrame
        The ``variance`` table of one run, or of several checkpoints of one model (a slider then chooses one).
    """
    shares = {"language": theme.LANGUAGE_SCORE, "meaning": theme.MEANING_SCORE, "rest": theme.REST}
    parts.need(variance, ["layer", "layer_index", *shares])
    table = parts.split_stacks(variance.sort_values("layer_index"))
    rows = table.melt(
        [name for name in ("stack", "layer", "step") if name in table], list(shares), "part", "share"
    )
    rows["order"] = rows.part.map(list(shares).index)
    sliders, at_step, state = parts.step_slider(rows)
    colours = alt.Scale(domain=list(shares), range=list(shares.values()))
    bars = (
        parts.chart_of(rows, at_step)
        .mark_bar()
        .encode(
            parts.layer_axis(table.layer),
            parts.share_axis(alt.Y, "share", "share of variance", domain=[0, 1]),
            alt.Color("part:N", title="goes with", scale=colours),
            alt.Order("order:Q"),
            parts.tips("layer", "part", share=".1%"),
        )
    )
    return parts.finish(
        parts.by_stack(bars, rows, height=260),
        titles.variance_shares(variance),
        "Share of the variance of activations that goes with language, with meaning, and the rest, by layer.",
        *sliders,
        state=state,
    )


def retrieval_map(retrieval: pd.DataFrame, kind: str = "all") -> alt.LayerChart:
    """How often a sentence's nearest neighbour in another language is its translation, for each pair.

    Of very many languages strips of layers, looked for in a pivot or in the mean of all others.

    Parameters
    ----------
    retrieval : DataFrame
        The ``retrieval`` table of one run, or of several checkpoints of one model; sliders choose among
        them.
    kind : str
        Which group of sentences to show.
    """
    parts.need(retrieval, ["layer", "layer_index", "kind", "source", "target", "accuracy", "chance"])
    rows = parts.chosen(retrieval, "kind", kind)
    if (rows.target == parts.OTHERS).any():
        shade = parts.shade("accuracy", "accuracy", "viridis", [0, 1])
        return _strips(
            rows,
            ["accuracy"],
            shade,
            titles.retrieval_map(rows),
            f"Retrieval accuracy of {rows.source.nunique()} languages, layer by layer",
            f"chance {float(rows.chance.iloc[0]):.3g}",
        )
    title = titles.retrieval_map(rows)
    rows = parts.with_names(rows, "source", "target")
    keys = ["source", "target", "layer", "layer_index", "step"]
    rows = parts.averaged(rows, keys, ["accuracy", "chance"])
    table = parts.SliderTable.pack(rows, ["source", "target"], ["accuracy"])
    chance = float(rows.chance.iloc[0])
    names = list(dict.fromkeys(rows.source))
    base = (
        table.chart()
        .transform_calculate(accuracy=table.pick("accuracy"), times_chance=f"datum.accuracy / {chance}")
        .transform_filter("isValid(datum.accuracy)")
        .transform_calculate(percent="100 * datum.accuracy")
        .encode(*parts.square_axes(names, "target", "source", "looked for in", "sentence in"))
    )
    squares = base.mark_rect().encode(
        color=parts.shade("accuracy", "translations found", "viridis", [0, 1], "%"),
        tooltip=parts.tips("source", "target", accuracy=".1%", times_chance=".1f"),
    )
    numbers = parts.in_squares(base, "percent", len(names), "datum.accuracy > 0.6", "#111111")
    means = rows[rows.layer != "all"].groupby("layer", sort=False).accuracy.mean()
    return parts.finish(
        (squares + numbers).properties(width="container", height=320),
        alt.Title(title, subtitle="numbers: percent of the translations"),
        f"Heat map of retrieval accuracy between {len(names)} languages; chance is {chance:.3g}.",
        *table.sliders(means.idxmax()),
        state=table.state(),
    )


def mean_cosines(cosines: pd.DataFrame) -> alt.FacetChart:
    """Mean cosine of every language with every other, for translations and for different meanings.

    Parameters
    ----------
    cosines : DataFrame
        The ``cosines`` table of one run, or of several checkpoints of one model; sliders choose among them.
    """
    pairs = {"same_meaning": "same meaning", "different_meaning": "different meanings"}
    parts.need(cosines, ["layer", "layer_index", "source", "target", *pairs])
    keys = [name for name in ("layer", "layer_index", "step", "source", "target") if name in cosines]
    if (cosines.target == parts.OTHERS).any():
        rows = cosines.melt(keys, list(pairs), "pair", "cosine").replace({"pair": pairs})
        limits = [min(0, rows.cosine.min()), rows.cosine.max()]
        return _strips(
            rows,
            ["cosine"],
            parts.shade("cosine", "mean cosine", "viridis", limits),
            titles.mean_cosines(cosines),
            f"Mean cosine of {rows.source.nunique()} languages with others, layer by layer",
        )
    rows = parts.averaged(parts.with_names(cosines, "source", "target"), keys, list(pairs))
    rows = rows.melt(keys, list(pairs), "pair", "cosine").replace({"pair": pairs})
    table = parts.SliderTable.pack(rows, ["source", "target", "pair"], ["cosine"])
    names = list(dict.fromkeys(rows.source))
    limits = [min(0, rows.cosine.min()), rows.cosine.max()]
    squares = (
        table.chart()
        .transform_calculate(cosine=table.pick("cosine"))
        .transform_filter("isValid(datum.cosine)")
        .mark_rect()
        .encode(
            *parts.square_axes(names, "target", "source"),
            parts.shade("cosine", "mean cosine", "viridis", limits),
            parts.tips("source", "target", "pair", cosine=".3f"),
        )
        .properties(width=190, height=230)
    )
    panels = alt.Facet("pair:N", title=None, sort=list(pairs.values()))
    return parts.finish(
        parts.fold(squares.facet(panels, columns=2)),
        titles.mean_cosines(cosines),
        f"Two heat maps of the mean cosine between {len(names)} languages: "
        "translations, and different meanings.",
        *table.sliders(),
        state=table.state(),
    )


def _strips(
    rows: pd.DataFrame, values: list[str], shade: alt.Color, title: str, description: str, subtitle: str = ""
) -> alt.Chart:
    """Strips of very many languages, each compared with the target that is chosen."""
    rows = rows.rename(columns={"source": "language"})
    rows = rows.assign(target=rows.target.map(parts.target_name))
    lists, at_target = parts.choice("target", list(dict.fromkeys(rows.target)), label="compared with")
    pairs, of_pair = parts.choice("pair", list(dict.fromkeys(rows.pair)) if "pair" in rows else [])
    keys = ["target", *(["pair"] if pairs else [])]
    tooltip = parts.tips(*keys, **dict.fromkeys(values, ".3f"))
    strips, table, asked = parts.language_strips(rows, keys, values, shade, tooltip)
    return parts.finish(
        strips.transform_filter(at_target).transform_filter(of_pair),
        alt.Title(title, subtitle=subtitle),
        f"{description}; by family, or by language.",
        *lists,
        *pairs,
        *table.step_slider(),
        *asked,
        state=table.state(name_layer=False),
    )
