"""Chapter 08: one model through its training, beside its control."""

from typing import Any

import altair as alt
import pandas as pd

from lingua_utils.charts import parts, theme


def scores_by_step(similarity: pd.DataFrame, scale: str = "raw") -> alt.FacetChart | alt.LayerChart:
    """LRDS and SADS of all layers together against the training step, with intervals and the shuffled null.

    Parameters
    ----------
    similarity : DataFrame
        Collated ``similarity`` tables of one or several models; one model is one panel with both scores,
        several are one panel per score with a line per model.
    scale : {"raw", "centred", "standardised"}
        Which scores to show.

    Raises
    ------
    ValueError
        When a column is missing or no row has a training step.
    """
    table = parts.chosen(parts.with_steps(similarity, ["layer", "kind", "lrds", "sads"]), "scale", scale)
    rows = parts.long_scores(table[table.layer == "all"], ["model", "step", "kind"])
    models = list(dict.fromkeys(rows.model))
    kinds, kind = parts.kind_choice(rows.kind)
    colour = parts.score_colour() if len(models) == 1 else parts.series_colour(rows, "model")
    base, x = parts.chart_of(rows, kind), parts.step_axis(rows.step)
    chart = parts.score_lines(base, x, colour, "model", "kind", step=",")
    if len(models) == 1:
        chart = chart.properties(width="container", height=parts.HEIGHT)
    else:
        chart = parts.by_score(chart, height=parts.HEIGHT)
    return parts.finish(
        chart,
        alt.Title("The two scores through training", subtitle=f"{scale} · {parts.BANDS}"),
        f"LRDS and SADS of {', '.join(models)} at {rows.step.nunique()} training steps, with 95 % intervals "
        "and the band of both scores when sentences are shuffled.",
        *kinds,
    )


def layer_step_map(similarity: pd.DataFrame, scale: str = "raw") -> alt.HConcatChart:
    """Heat maps of LRDS and SADS, layer by training step, each with its own colour scale.

    Parameters
    ----------
    similarity : DataFrame
        Collated ``similarity`` tables; of several models one is chosen from a list.
    scale : {"raw", "centred", "standardised"}
        Which scores to show.
    """
    table = parts.with_steps(similarity, ["layer", "layer_index", "kind", "lrds", "sads"])
    table = parts.chosen(table, "scale", scale)
    rows = parts.split_stacks(table[table.layer != "all"])
    rows = rows[["model", "step", "kind", *parts.stack_keys(rows), "layer", "layer_index", "lrds", "sads"]]
    layers = list(rows.sort_values("layer_index").layer.unique())[::-1]
    models, model = parts.choice("model", list(dict.fromkeys(rows.model)))
    kinds, kind = parts.kind_choice(rows.kind)

    def panel(score: str, scheme: str) -> alt.Chart | alt.FacetChart:
        limits = [min(0, rows[score].min()), rows[score].max()]
        squares = (
            parts.chart_of(rows, model, kind)
            .mark_rect()
            .encode(
                alt.X("step:O", title="training step", axis=alt.Axis(labelAngle=-45, labelOverlap=True)),
                alt.Y("layer:N", title="layer", sort=layers),
                parts.shade(score, score.upper(), scheme, limits),
                parts.tips("model", "layer", step=",", **{score: ".3f"}),
            )
            .properties(width=parts.PANEL, height=max(120, (16 if parts.paired(rows) else 26) * len(layers)))
        )
        if parts.paired(rows):
            # Altair gives no name to a panel of panels, and wants one.
            squares = squares.properties(name=score).facet(row=parts.stack_panels(alt.Row, last_first=True))
        return squares.properties(title=parts.SCORES[score])

    return parts.finish(
        parts.fold((panel("lrds", "oranges") | panel("sads", "blues")).resolve_scale(color="independent")),
        alt.Title("The two scores in each layer through training", subtitle=scale),
        f"Two heat maps, LRDS and SADS, for {rows.layer_index.nunique()} layers at {rows.step.nunique()} "
        "training steps.",
        *models,
        *kinds,
    )


def retrieval_by_step(retrieval: pd.DataFrame, layer: str | None = None) -> alt.FacetChart | alt.LayerChart:
    """How often a sentence's translation is its nearest neighbour, against the training step and chance.

    The line is the mean over language pairs, the band their middle half, the dashed line chance.

    Parameters
    ----------
    retrieval : DataFrame
        Collated ``retrieval`` tables; several models get a panel each.
    layer : str, optional
        Layer shown first; the one with the highest mean at the last step when not given.
    """
    table = parts.with_steps(retrieval, ["layer", "layer_index", "kind", "accuracy", "chance"])
    table = table.sort_values(["step", "layer_index"], kind="stable")
    rows = parts.mean_over_pairs(table, ["model", "step", "layer_index", "layer", "kind"])
    if layer is None:
        layer = rows[rows.step == rows.step.max()].groupby("layer").accuracy.mean().idxmax()
    layers, at_layer = parts.choice("layer", list(rows.layer.unique()), first=layer)
    models = list(dict.fromkeys(table.model))
    drawn = parts.lines(
        parts.chart_of(rows, at_layer),
        parts.step_axis(rows.step),
        alt.Y("accuracy:Q", title="accuracy"),
        parts.series_colour(rows, "kind", "sentences"),
        parts.tips("model", "kind", step=",", accuracy=".2f", chance=".3f"),
        null="chance",
    )
    if len(models) == 1:
        chart = drawn.properties(width="container", height=parts.HEIGHT)
    else:
        panels = alt.Facet("model:N", title=None, sort=models)
        chart = parts.fold(drawn.properties(width=parts.PANEL, height=parts.HEIGHT).facet(panels, columns=2))
    return parts.finish(
        chart,
        alt.Title("Finding the translation among all sentences", subtitle=parts.PAIR_BANDS),
        f"Accuracy of cross-lingual retrieval for {', '.join(models)} at {rows.step.nunique()} training "
        "steps, by kind of sentence, with chance.",
        *layers,
    )


def sentence_map(projection: pd.DataFrame, texts: Any = None, layer: str | None = None) -> alt.Chart:
    """Sentences as points in a plane: sliders for step and layer, colour by language or by meaning.

    Pointing at a sentence shows it and its translations and dims the others.

    Parameters
    ----------
    projection : DataFrame
        ``projection`` tables of one model, collated and aligned: ``layer``, ``layer_index``, ``language``,
        ``sentence``, ``x``, ``y`` and, for several checkpoints, ``step``. A record of the chart is a sentence
        in a language with its coordinates at every layer and step, to three decimals of the plane's extent.
    texts : ParallelCorpus, optional
        Where the sentences are read: anything with ``languages`` and ``texts`` [language][sentence].
    layer : str, optional
        Layer shown first; the first in order ("all" where there is one) when not given.

    Raises
    ------
    ValueError
        When a column is missing, or a layer is not in the table.
    """
    parts.need(projection, ["layer", "layer_index", "language", "sentence", "x", "y"])
    extents = projection[["x", "y"]].abs().max(axis=1)
    whole = float(extents.max()) or 1.0
    rows = projection.assign(
        x=projection.x / whole, y=projection.y / whole, step=parts.SliderTable.step_of(projection)
    )
    table = parts.SliderTable.pack(rows, ["language", "sentence"], ["x", "y"])
    widest = rows.assign(extent=extents / whole).pivot_table(
        "extent", "layer_index", "step", aggfunc="max", dropna=False
    )
    fitted = widest.clip(lower=1e-6).round(6).fillna(1).to_numpy().tolist()

    languages = list(dict.fromkeys(projection.language))
    names = [theme.language_name(code) for code in languages]
    meanings = sorted(int(sentence) for sentence in projection.sentence.unique())
    for record in table.records:
        code = record["language"]
        record["language"] = theme.language_name(code)
        if texts is not None:
            record["text"] = texts.texts[texts.languages.index(code)][record["sentence"]]
    colours = [
        *theme.language_colours(languages).values(),
        *(theme.hue_colour(number * 0.618034, 0.7) for number in range(len(meanings))),
    ]
    colour_by = alt.param(
        name="colour_by",
        value="language",
        bind=alt.binding_radio(options=["language", "meaning"], name="colour by "),
    )
    fit = alt.param(name="fit", value=False, bind=alt.binding_checkbox(name="fit each view "))
    hover = alt.selection_point(name="hover", fields=["sentence"], on="pointerover", clear="pointerout")
    plain = alt.Axis(labels=False, ticks=False, grid=False, domain=False)
    plane = alt.Scale(domain=[-1.05, 1.05], nice=False)
    chart = (
        table.chart()
        .transform_calculate(
            extent=f"fit ? {fitted}[layer_at][step_at] : 1",
            x=f"{table.pick('x')} / datum.extent",
            y=f"{table.pick('y')} / datum.extent",
            colour="colour_by == 'language' ? datum.language : 'meaning ' + datum.sentence",
        )
        .transform_filter("isValid(datum.x)")
        .mark_circle()
        .encode(
            alt.X("x:Q", title="first component", scale=plane, axis=plain),
            alt.Y("y:Q", title="second component", scale=plane, axis=plain),
            alt.Color(
                "colour:N",
                title="language",
                scale=alt.Scale(domain=names + [f"meaning {m}" for m in meanings], range=colours),
                legend=theme.language_legend(values=names),
            ),
            opacity=alt.when(hover).then(alt.value(0.85)).otherwise(alt.value(0.08)),
            size=alt.when(hover, empty=False).then(alt.value(130)).otherwise(alt.value(48)),
            tooltip=[
                *parts.tips(*([] if texts is None else ["text"]), "language"),
                alt.Tooltip("sentence:O", title="meaning"),
            ],
        )
        .properties(width="container", height=430)
    )
    return parts.finish(
        chart,
        table.title("Where the sentences lie"),
        f"Map of {len(meanings)} sentences in {len(names)} languages by their activations in two dimensions, "
        f"for {len(table.layers)} layers and {len(table.steps)} checkpoints.",
        *(hover, *table.sliders(layer), colour_by, fit),
    )


def region_size_by_step(counts: pd.DataFrame) -> alt.FacetChart:
    """Mean number of key neurons of a language against the training step, and by chance, for every rule.

    Parameters
    ----------
    counts : DataFrame
        Collated ``region_counts`` of one or several models.
    """
    table = parts.split_stacks(parts.with_steps(counts, ["rule", "layer", "language", "count", "expected"]))
    keys = ["model", "rule", *parts.stack_keys(table), "step"]
    sizes = table.groupby([*keys, "language"], sort=False)[["count", "expected"]].sum()
    rows = sizes.groupby(keys, sort=False).agg(
        neurons=("count", "mean"), low=("count", "min"), high=("count", "max"), expected=("expected", "mean")
    )
    rows = rows.reset_index()
    drawn = parts.lines(
        parts.chart_of(rows),
        parts.step_axis(rows.step),
        alt.Y("neurons:Q", title="key neurons of a language"),
        parts.series_colour(rows, "model"),
        parts.tips("model", "rule", step=",", neurons=".1f", expected=".1f"),
        null="expected",
    )
    return parts.finish(
        parts.by_rule(drawn.properties(width=205, height=200), rows).resolve_scale(y="independent"),
        alt.Title(
            "Size of the regions through training",
            subtitle="mean and range over languages · dashed: shuffled languages",
        ),
        "Number of key neurons of a language against training step, for each rule, with chance.",
    )


def accuracy_against_sads(points: pd.DataFrame) -> alt.LayerChart:
    """Mean accuracy over languages against SADS, a point per checkpoint, with chance.

    Parameters
    ----------
    points : DataFrame
        ``step``, ``sads``, ``sads_low``, ``sads_high``, ``accuracy``, ``low``, ``high``, ``chance``.
    """
    parts.need(points, ["step", "sads", "sads_low", "sads_high", "accuracy", "low", "high", "chance"])
    base = parts.chart_of(points.astype({"step": int}))
    x = alt.X("sads:Q", title=parts.SCORES["sads"])
    y = parts.share_axis(alt.Y, "accuracy", "mean accuracy", zero=False)
    chance = float(points.chance.iloc[0])
    chart = alt.layer(
        base.mark_rule(opacity=0.5).encode(x, alt.Y("low:Q"), alt.Y2("high:Q")),
        base.mark_rule(opacity=0.5).encode(alt.X("sads_low:Q"), alt.X2("sads_high:Q"), y),
        base.mark_point(size=60, color=theme.MEANING_SCORE).encode(
            x, y, tooltip=parts.tips(step=",", sads=".3f", accuracy=".1%")
        ),
        base.mark_text(dy=-10, fontSize=10, color=theme.INK).encode(x, y, alt.Text("step:Q", format=",")),
        parts.level(chance, f"chance: {chance:.0%}"),
    )
    return parts.finish(
        chart.properties(width="container", height=parts.HEIGHT),
        alt.Title("Accuracy and alignment", subtitle="a point per checkpoint"),
        f"Mean zero-shot accuracy against SADS at {len(points)} checkpoints.",
    )
