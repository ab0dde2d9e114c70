"""One function per figure: a tidy table in, an Altair chart out.

Nothing is drawn or saved here, no chart holds more than 5,000 rows, and every chart has a description for
screen readers. Layers of an encoder and of a decoder have panels of their own. What a chart can be asked
(which layer, which checkpoint, which sentences) is a parameter of the chart itself, so it works on a page
without a kernel. The tables are those that the stages write; collated over runs they also have ``corpus``,
``model_id``, ``revision`` and ``step``.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import altair as alt
import pandas as pd

from lingua_utils.charts import theme
from lingua_utils.charts.parts import (
    Frames,
    by_stack,
    check_rows,
    choice,
    finish,
    intervals,
    kind_choice,
    layer_axis,
    named,
    need,
    paired,
    rule,
    split_stacks,
    stack_panels,
    step_axis,
    step_slider,
    with_steps,
)
from lingua_utils.text.languages import LANGUAGES

if TYPE_CHECKING:
    from lingua_utils.text.corpus import ParallelCorpus

RIGHT_TO_LEFT = {"Arab", "Hebr", "Syrc", "Thaa", "Nkoo", "Adlm"}

_SCORES = {"lrds": "LRDS · same language", "sads": "SADS · same meaning"}
_SCORE_SCALE = alt.Scale(domain=list(_SCORES.values()), range=[theme.LANGUAGE_SCORE, theme.MEANING_SCORE])
_MODEL_RANGE = ["#2f7fc1", "#c2571a", "#2e8b57", "#8e5bb5", "#8a7a20", "#c0398b"]
_KIND_RANGE = ["#2f7fc1", "#c2571a", "#2e8b57", "#8e5bb5"]
# Bands come first in a layer, and their opacity would be the legend's.
_LEGEND = alt.Legend(symbolType="circle", symbolOpacity=1)
_COLUMN_WIDTH, _HEIGHT = 300, 300


# ---- development through training -------------------------------------------------------------------------


def scores_by_step(similarity: pd.DataFrame, centred: bool = False) -> alt.FacetChart | alt.LayerChart:
    """LRDS and SADS of all layers together against the training step, with intervals and the shuffled null.

    Parameters
    ----------
    similarity : DataFrame
        Collated ``similarity`` tables of one or several models; one model is one panel with both scores,
        several are one panel a score with a line a model.
    centred : bool
        Show the scores of activations with their mean over all sentences removed.

    Raises
    ------
    ValueError
        When a column is missing or no row has a training step.
    """
    table = with_steps(similarity, ["layer", "centred", "kind", "lrds", "sads"])
    rows = _long_scores(table[(table.layer == "all") & (table.centred == centred)], ["model", "step", "kind"])
    models = list(dict.fromkeys(rows.model))
    x = step_axis(rows.step)
    line = (
        alt.Color("score:N", title=None, scale=_SCORE_SCALE, legend=_LEGEND)
        if len(models) == 1
        else alt.Color(
            "model:N", scale=alt.Scale(domain=models, range=_MODEL_RANGE), sort=None, legend=_LEGEND
        )
    )
    kinds, kind = kind_choice(rows.kind)
    layers = intervals(alt.Chart(rows).transform_filter(kind), x, line, ["model", "step", "kind"])
    description = (
        f"LRDS and SADS of {', '.join(models)} at {rows.step.nunique()} training steps, with 95 % intervals "
        "and the band of both scores when sentences are shuffled."
    )
    title = alt.Title(
        "The two scores through training",
        subtitle="bands: 95 % intervals · grey: shuffled sentences",
    )
    if len(models) == 1:
        chart = layers.properties(width="container", height=_HEIGHT)
    else:
        chart = layers.properties(width=_COLUMN_WIDTH, height=_HEIGHT).facet(
            alt.Facet("score:N", title=None, sort=list(_SCORES.values())), columns=2
        )
    return finish(chart.add_params(*kinds).properties(title=title), description)


def scores_by_model(
    similarity: pd.DataFrame, order: Sequence[str] = (), centred: bool = False
) -> alt.FacetChart:
    """LRDS and SADS of all layers together, model beside model, each at its last checkpoint.

    Parameters
    ----------
    similarity : DataFrame
        Collated ``similarity`` tables of some models.
    order : sequence of str
        Model ids in the order in which they are to stand; others follow.
    centred : bool
        Show the scores of activations with their mean over all sentences removed.
    """
    table = similarity[(similarity.layer == "all") & (similarity.centred == centred)]
    table = table.sort_values("step", kind="stable").groupby(["model_id", "kind"], sort=False).tail(1)
    models = [name.removeprefix("lab/") for name in dict.fromkeys([*order, *similarity.model_id])]
    rows = _long_scores(table.assign(model=table.model_id.str.removeprefix("lab/")), ["model", "kind"])
    kinds, kind = kind_choice(rows.kind)
    base = alt.Chart(rows).transform_filter(kind).encode(alt.Y("model:N", sort=models, title=None))
    title = "difference of mean cosines"
    colour = alt.Color("score:N", title=None, scale=_SCORE_SCALE, legend=None)
    drawn = alt.layer(
        base.mark_bar(color=theme.BASELINE, opacity=0.35, height=12, minBandSize=2).encode(
            alt.X("null_low:Q", title=title), alt.X2("null_high:Q")
        ),
        base.mark_rule(strokeWidth=2).encode(alt.X("low:Q"), alt.X2("high:Q"), colour),
        base.mark_point(filled=True, size=70, opacity=1).encode(
            alt.X("value:Q"),
            colour,
            tooltip=[
                *("model:N", "score:N"),
                *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("value", "low", "high", "null")),
            ],
        ),
    )
    chart = drawn.properties(width=_COLUMN_WIDTH - 30, height={"step": 26}).facet(
        alt.Facet("score:N", title=None, sort=list(_SCORES.values())), columns=2
    )
    titled = chart.add_params(*kinds).properties(
        title=alt.Title(
            "The two scores, model by model", subtitle="lines: 95 % intervals · grey: shuffled sentences"
        )
    )
    return finish(titled, f"LRDS and SADS of {', '.join(models)}, with 95 % intervals and their null.")


def layer_step_map(similarity: pd.DataFrame, centred: bool = False) -> alt.HConcatChart:
    """Heat maps of LRDS and SADS, layer by training step, each with its own colour scale.

    Parameters
    ----------
    similarity : DataFrame
        Collated ``similarity`` tables; of several models one is chosen from a list.
    centred : bool
        Show the scores of activations with their mean over all sentences removed.
    """
    table = with_steps(similarity, ["layer", "layer_index", "centred", "kind", "lrds", "sads"])
    rows = table[(table.layer != "all") & (table.centred == centred)]
    rows = split_stacks(rows[["model", "step", "kind", "layer", "layer_index", "lrds", "sads"]].round(4))
    check_rows(rows)
    layers = list(rows.sort_values("layer_index").layer.unique())[::-1]
    models, model = choice("model", list(dict.fromkeys(rows.model)))
    kinds, kind = kind_choice(rows.kind)

    def panel(score: str, scheme: str) -> alt.Chart:
        low = min(0.0, rows[score].min())
        drawn = (
            alt.Chart(rows)
            .transform_filter(model)
            .transform_filter(kind)
            .mark_rect()
            .encode(
                alt.X("step:O", title="training step", axis=alt.Axis(labelAngle=-45, labelOverlap=True)),
                alt.Y("layer:N", title="layer", sort=layers),
                alt.Color(
                    f"{score}:Q",
                    title=score.upper(),
                    scale=alt.Scale(scheme=scheme, domain=[low, rows[score].max()]),
                    legend=alt.Legend(gradientLength=200),
                ),
                [
                    alt.Tooltip("step:Q", format=","),
                    alt.Tooltip("layer:N"),
                    alt.Tooltip(f"{score}:Q", title=score.upper(), format=".3f"),
                ],
            )
            .properties(width=_COLUMN_WIDTH - 20, height=max(120, (16 if paired(rows) else 26) * len(layers)))
        )
        if paired(rows):
            # Altair gives no name to a panel of panels, and wants one.
            drawn = drawn.properties(name=score).facet(row=stack_panels(alt.Row, last_first=True))
        return drawn.properties(title=_SCORES[score])

    chart = alt.hconcat(panel("lrds", "oranges"), panel("sads", "blues")).resolve_scale(color="independent")
    description = (
        f"Two heat maps, LRDS and SADS, for {rows.layer_index.nunique()} layers at {rows.step.nunique()} "
        "training steps."
    )
    return finish(chart.add_params(*models, *kinds), description)


def loss_by_language(
    losses: pd.DataFrame, measure: str = "bits_per_byte", chance: float | None = None
) -> alt.LayerChart:
    """Loss on held-out text against the training step, one line a language.

    Parameters
    ----------
    losses : DataFrame
        ``step``, ``language`` and the measure; of one model.
    measure : {"bits_per_byte", "loss"}
        Bits per byte compare across languages and tokenizers; nats per token do not.
    chance : float, optional
        Loss of a uniform guess in the same unit, drawn as a dashed line.
    """
    units = {"bits_per_byte": "bits per byte", "loss": "loss (nats per token)"}
    if measure not in units:
        raise ValueError(f"measure is {measure!r}; it can be {' or '.join(units)}")
    need(losses, ["step", "language", measure])
    rows = losses[["step", "language", measure]].round(4)
    rows = rows.assign(name=rows.language.map(theme.language_name))
    check_rows(rows)
    names = alt.selection_point(fields=["name"], bind="legend")
    lines = (
        alt.Chart(rows)
        .mark_line(point=alt.OverlayMarkDef(size=22))
        .encode(
            step_axis(rows.step),
            alt.Y(f"{measure}:Q", title=units[measure], scale=alt.Scale(zero=True)),
            alt.Color(
                "name:N",
                title="language",
                scale=theme.language_scale(rows.language.unique()),
                sort=None,
                legend=theme.language_legend(),
            ),
            tooltip=[
                alt.Tooltip("name:N", title="language"),
                alt.Tooltip("step:Q", format=","),
                alt.Tooltip(f"{measure}:Q", title=units[measure], format=".3f"),
            ],
            opacity=alt.when(names).then(alt.value(0.95)).otherwise(alt.value(0.12)),
        )
        .add_params(names)
    )
    layers = [lines] if chance is None else [lines, rule(chance, f"uniform guess: {chance:.2f}")]
    chart = alt.layer(*layers).properties(width="container", height=_HEIGHT)
    description = (
        f"{units[measure]} of held-out text in {rows.language.nunique()} languages against training step."
    )
    return finish(chart, description)


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
    table = with_steps(retrieval, ["layer", "layer_index", "kind", "accuracy", "chance"])
    groups = table.groupby(["model", "step", "layer_index", "layer", "kind"], sort=True)
    rows = groups.accuracy.agg(
        accuracy="mean", low=lambda a: a.quantile(0.25), high=lambda a: a.quantile(0.75)
    ).join(groups.chance.first())
    rows = rows.reset_index().round(4)
    check_rows(rows)
    order = list(rows.layer.unique())
    if layer is None:
        last = rows[rows.step == rows.step.max()]
        layer = last.groupby("layer").accuracy.mean().idxmax()
    layers, at_layer = choice("layer", order, first=layer)
    models = list(dict.fromkeys(table.model))
    x = step_axis(rows.step)
    colour = alt.Color("kind:N", title="sentences", scale=alt.Scale(range=_KIND_RANGE), legend=_LEGEND)
    base = alt.Chart(rows).transform_filter(at_layer)
    tooltip = [
        alt.Tooltip("kind:N", title="sentences"),
        alt.Tooltip("step:Q", format=","),
        alt.Tooltip("accuracy:Q", format=".2f"),
        alt.Tooltip("chance:Q", format=".3f"),
    ]
    drawn = alt.layer(
        base.mark_area(opacity=0.15).encode(x, alt.Y("low:Q", title="accuracy"), alt.Y2("high:Q"), colour),
        base.mark_line(strokeDash=[4, 4], strokeWidth=1.2).encode(x, alt.Y("chance:Q"), colour),
        base.mark_line(point=True).encode(x, alt.Y("accuracy:Q"), colour, tooltip=tooltip),
    )
    if len(models) == 1:
        chart = drawn.properties(width="container", height=_HEIGHT)
    else:
        chart = drawn.properties(width=_COLUMN_WIDTH, height=_HEIGHT).facet(
            alt.Facet("model:N", title=None, sort=models), columns=2
        )
    title = alt.Title(
        "Finding the translation among all sentences",
        subtitle="bands: middle half of the language pairs · dashed: chance",
    )
    description = (
        f"Accuracy of cross-lingual retrieval for {', '.join(models)} at {rows.step.nunique()} training "
        "steps, by kind of sentence, with chance."
    )
    return finish(chart.add_params(*layers).properties(title=title), description)


# ---- one checkpoint ---------------------------------------------------------------------------------------


def scores_by_layer(similarity: pd.DataFrame, centred: bool = False) -> alt.LayerChart:
    """LRDS and SADS of each layer at one checkpoint, with intervals and the shuffled null.

    Parameters
    ----------
    similarity : DataFrame
        The ``similarity`` table of one run.
    centred : bool
        Show the scores of activations with their mean over all sentences removed.
    """
    need(similarity, ["layer", "layer_index", "centred", "kind", "lrds", "sads"])
    table = similarity[(similarity.layer != "all") & (similarity.centred == centred)]
    table = split_stacks(table.sort_values("layer_index"))
    rows = _long_scores(table, [*(["stack"] if paired(table) else []), "layer", "kind"])
    kinds, kind = kind_choice(rows.kind)
    x = layer_axis(table.layer)
    colour = alt.Color("score:N", title=None, scale=_SCORE_SCALE, legend=_LEGEND)
    layers = intervals(alt.Chart(rows).transform_filter(kind), x, colour, ["layer", "kind"])
    description = (
        f"LRDS and SADS in {table.layer_index.nunique()} layers, with 95 % intervals and the shuffled band."
    )
    title = alt.Title(
        "The two scores, layer by layer",
        subtitle="bands: 95 % intervals · grey: shuffled sentences",
    )
    chart = by_stack(layers, rows, height=_HEIGHT).add_params(*kinds).properties(title=title)
    return finish(chart, description)


def tokens_by_language(tokens: pd.DataFrame) -> alt.LayerChart:
    """How many tokens a sentence takes in each language, against the mean over languages.

    Parameters
    ----------
    tokens : DataFrame
        ``language`` and ``tokens``, one row a sentence. The bar is the mean, the line the middle half.
    """
    need(tokens, ["language", "tokens"])
    counts = tokens.groupby("language", sort=False).tokens
    rows = counts.agg(mean="mean", low=lambda n: n.quantile(0.25), high=lambda n: n.quantile(0.75))
    rows = rows.reset_index().round(2)
    rows["name"] = rows.language.map(theme.language_name)
    names = list(rows.name)
    base = alt.Chart(rows).encode(alt.Y("name:N", title=None, sort=names))
    colour = alt.Color("name:N", scale=theme.language_scale(rows.language), legend=None)
    tooltip = [
        alt.Tooltip("name:N", title="language"),
        *(
            alt.Tooltip(f"{field}:Q", title=title, format=".1f")
            for field, title in (("mean", "mean"), ("low", "lower quartile"), ("high", "upper quartile"))
        ),
    ]
    mean = alt.Chart(alt.Data(values=[{"mean": float(rows["mean"].mean())}]))
    chart = alt.layer(
        base.mark_bar(height={"band": 0.7}).encode(
            alt.X("mean:Q", title="content tokens a sentence", axis=alt.Axis(tickCount=6)),
            colour,
            tooltip=tooltip,
        ),
        base.mark_rule(strokeWidth=2, color=theme.INK).encode(alt.X("low:Q"), alt.X2("high:Q")),
        mean.mark_rule(strokeDash=[5, 4], color=theme.BASELINE).encode(alt.X("mean:Q")),
    )
    title = alt.Title("How long a sentence is", subtitle="line: middle half · dashed: mean of the languages")
    chart = chart.properties(width="container", height=24 * len(names), title=title)
    return finish(chart, f"Content tokens that a sentence takes in each of {len(names)} languages.")


def activity_by_layer(activity: pd.DataFrame) -> alt.LayerChart:
    """Share of neurons' values above zero in each layer, one line a language, against one half.

    Parameters
    ----------
    activity : DataFrame
        ``layer``, ``language`` and ``share_positive`` in [0, 1], averaged over the neurons of the layer.
    """
    need(activity, ["layer", "language", "share_positive"])
    rows = split_stacks(activity[["layer", "language", "share_positive"]].round(4))
    rows = rows.assign(name=rows.language.map(theme.language_name))
    check_rows(rows)
    names = alt.selection_point(fields=["name"], bind="legend")
    lines = (
        alt.Chart()
        .mark_line(point=True)
        .encode(
            layer_axis(rows.layer),
            alt.Y("share_positive:Q", title="share of values above zero", axis=alt.Axis(format="%")),
            alt.Color(
                "name:N",
                title="language",
                scale=theme.language_scale(rows.language.unique()),
                sort=None,
                legend=theme.language_legend(),
            ),
            opacity=alt.when(names).then(alt.value(0.95)).otherwise(alt.value(0.12)),
            tooltip=[
                alt.Tooltip("name:N", title="language"),
                alt.Tooltip("layer:N"),
                alt.Tooltip("share_positive:Q", title="above zero", format=".1%"),
            ],
        )
        .add_params(names)
    )
    # The rule has a row of its own; the lines' rows are the whole chart's, to be dealt to its panels.
    chart = by_stack(alt.layer(lines, rule(0.5, "one half"), data=rows), rows, height=_HEIGHT)
    count = rows.language.nunique()
    return finish(chart, f"Share of activations above zero, layer by layer, in {count} languages.")


def variance_shares(variance: pd.DataFrame) -> alt.Chart:
    """What the neurons' variance goes with, layer by layer: the language, the meaning, or neither.

    Parameters
    ----------
    variance : DataFrame
        The ``variance`` table of one run, or of several checkpoints of one model (a slider then chooses one).
    """
    need(variance, ["layer", "layer_index", "language", "meaning", "rest"])
    table = split_stacks(variance.sort_values("layer_index"))
    keys = [name for name in ("stack", "layer", "step") if name in table]
    rows = table.melt(keys, ["language", "meaning", "rest"], "part", "share").round(4)
    rows["order"] = rows.part.map({"language": 0, "meaning": 1, "rest": 2})
    check_rows(rows)
    sliders, at_step, title = step_slider(rows, "What the variance goes with")
    chart = (
        alt.Chart(rows)
        .transform_filter(at_step)
        .mark_bar()
        .encode(
            layer_axis(table.layer),
            alt.Y(
                "share:Q",
                title="share of variance",
                axis=alt.Axis(format="%"),
                scale=alt.Scale(domain=[0, 1]),
            ),
            alt.Color(
                "part:N",
                title="goes with",
                scale=alt.Scale(
                    domain=["language", "meaning", "rest"],
                    range=[theme.LANGUAGE_SCORE, theme.MEANING_SCORE, theme.REST],
                ),
            ),
            alt.Order("order:Q"),
            [alt.Tooltip("layer:N"), alt.Tooltip("part:N"), alt.Tooltip("share:Q", format=".1%")],
        )
    )
    chart = by_stack(chart, rows, height=260).add_params(*sliders).properties(title=title)
    return finish(
        chart,
        "Share of the variance of activations that goes with language, with meaning, and the rest, by layer.",
    )


def language_blocks(blocks: pd.DataFrame) -> alt.FacetChart:
    """Mean cosine of every language with every other, for translations and for different meanings.

    Parameters
    ----------
    blocks : DataFrame
        The ``blocks`` table of one run, or of several checkpoints of one model; sliders choose among them.
    """
    need(blocks, ["layer", "layer_index", "source", "target", "same_meaning", "different_meaning"])
    pairs = {"same_meaning": "same meaning", "different_meaning": "different meanings"}
    keys = [name for name in ("layer", "layer_index", "step", "source", "target") if name in blocks]
    rows = blocks.melt(keys, list(pairs), "pair", "cosine").replace({"pair": pairs})
    frames = Frames.of(rows, ["source", "target", "pair"], ["cosine"])
    languages = list(dict.fromkeys(rows.source))
    names = [theme.language_name(code) for code in languages]
    low = min(0.0, float(rows.cosine.min()))
    chart = (
        frames.chart()
        .transform_calculate(
            cosine=frames.pick("cosine"),
            from_=named("source", languages),
            to=named("target", languages),
        )
        .transform_filter("isValid(datum.cosine)")
        .mark_rect()
        .encode(
            alt.X("to:N", title=None, sort=names, axis=alt.Axis(labelAngle=-45)),
            alt.Y("from_:N", title=None, sort=names),
            alt.Color(
                "cosine:Q",
                title="mean cosine",
                scale=alt.Scale(scheme="viridis", domain=[low, rows.cosine.max()]),
            ),
            [
                alt.Tooltip("from_:N", title="language"),
                alt.Tooltip("to:N", title="with"),
                alt.Tooltip("pair:N", title="pairs"),
                alt.Tooltip("cosine:Q", title="mean cosine", format=".3f"),
            ],
        )
        .properties(width=230, height=230)
        .facet(alt.Facet("pair:N", title=None, sort=list(pairs.values())), columns=2)
        .add_params(*frames.sliders())
        .properties(title=frames.title("Mean cosine of sentences"))
    )
    return finish(
        chart,
        f"Two heat maps of the mean cosine between {len(names)} languages: "
        "translations, and different meanings.",
    )


def retrieval_map(retrieval: pd.DataFrame, kind: str = "all") -> alt.Chart:
    """How often a sentence's nearest neighbour in another language is its translation, for each pair.

    Parameters
    ----------
    retrieval : DataFrame
        The ``retrieval`` table of one run, or of several checkpoints of one model; sliders choose among
        them.
    kind : str
        Which group of sentences to show.
    """
    need(retrieval, ["layer", "layer_index", "kind", "source", "target", "accuracy", "chance"])
    rows = retrieval[retrieval.kind == kind]
    if rows.empty:
        raise ValueError(f"no rows of kind {kind!r}; there are {', '.join(sorted(retrieval.kind.unique()))}")
    frames = Frames.of(rows, ["source", "target"], ["accuracy"])
    languages = list(dict.fromkeys(rows.source))
    names = [theme.language_name(code) for code in languages]
    chance = float(rows.chance.iloc[0])
    base = (
        frames.chart()
        .transform_calculate(
            accuracy=frames.pick("accuracy"),
            from_=named("source", languages),
            to=named("target", languages),
            times=f"datum.accuracy / {chance}",
        )
        .transform_filter("isValid(datum.accuracy)")
        .encode(
            alt.X("to:N", title="found among the sentences of", sort=names, axis=alt.Axis(labelAngle=-45)),
            alt.Y("from_:N", title="sentence in", sort=names),
        )
    )
    squares = base.mark_rect().encode(
        color=alt.Color("accuracy:Q", title="accuracy", scale=alt.Scale(scheme="viridis", domain=[0, 1])),
        tooltip=[
            alt.Tooltip("from_:N", title="sentence in"),
            alt.Tooltip("to:N", title="found in"),
            alt.Tooltip("accuracy:Q", format=".2f"),
            alt.Tooltip("times:Q", title="times chance", format=".1f"),
        ],
    )
    # The number in the square is what the colour cannot say exactly; its ink follows the square's lightness.
    numbers = base.mark_text(fontSize=alt.expr("clamp(width / 28, 6, 10)")).encode(
        text=alt.Text("accuracy:Q", format=".2f"),
        color=alt.when("datum.accuracy > 0.6").then(alt.value("#111111")).otherwise(alt.value("#f4f4f4")),
    )
    chart = (
        alt.layer(squares, numbers)
        .add_params(*frames.sliders())
        .properties(
            width="container",
            height=320,
            title=frames.title(f"Retrieval of translations, chance {chance:.3g}"),
        )
    )
    return finish(
        chart, f"Heat map of retrieval accuracy between {len(names)} languages; chance is {chance:.3g}."
    )


# ---- sentences --------------------------------------------------------------------------------------------


def sentence_map(
    projection: pd.DataFrame, texts: ParallelCorpus | None = None, layer: str | None = None
) -> alt.Chart:
    """Sentences as points in a plane: sliders for step and layer, colour by language or by meaning.

    Pointing at a sentence shows it and its translations and dims the others.

    Parameters
    ----------
    projection : DataFrame
        ``projection`` tables of one model, collated and aligned: ``layer``, ``layer_index``, ``language``,
        ``sentence``, ``x``, ``y`` and, for several checkpoints, ``step``. A row of the chart is a sentence in
        a language with its coordinates at every layer and step, to three decimals of the plane's extent.
    texts : ParallelCorpus, optional
        Where the sentences are read; ``sentence`` counts the corpus's meanings.
    layer : str, optional
        Layer shown first; the first in order ("all" where there is one) when not given.

    Raises
    ------
    ValueError
        When a column is missing, or a layer is not in the table.
    """
    need(projection, ["layer", "layer_index", "language", "sentence", "x", "y"])
    rows = projection.copy()
    extents = rows.assign(extent=rows[["x", "y"]].abs().max(axis=1))
    whole = float(extents.extent.max()) or 1.0
    rows[["x", "y"]] /= whole
    frames = Frames.of(rows, ["language", "sentence"], ["x", "y"])
    widest = extents.pivot_table(
        "extent", "layer_index", Frames.step_of(extents).rename("frame"), aggfunc="max", dropna=False
    ).sort_index()
    fitted = (widest / whole).clip(lower=1e-6).round(6).fillna(1).to_numpy().tolist()

    languages = list(dict.fromkeys(projection.language))
    names = [theme.language_name(code) for code in languages]
    meanings = sorted(int(sentence) for sentence in projection.sentence.unique())
    for record in frames.records:
        code, sentence = record.pop("language"), record["sentence"]
        record["name"] = theme.language_name(code)
        if texts is not None:
            record["text"] = texts.texts[texts.languages.index(code)][sentence]
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
    scale = alt.Scale(domain=[-1.05, 1.05], nice=False)
    chart = (
        frames.chart()
        .transform_calculate(
            extent=f"fit ? {fitted}[layer_at][step_at] : 1",
            x=f"{frames.pick('x')} / datum.extent",
            y=f"{frames.pick('y')} / datum.extent",
            colour="colour_by == 'language' ? datum.name : 'meaning ' + datum.sentence",
        )
        .transform_filter("isValid(datum.x)")
        .mark_circle()
        .encode(
            alt.X("x:Q", title="first component", scale=scale, axis=plain),
            alt.Y("y:Q", title="second component", scale=scale, axis=plain),
            alt.Color(
                "colour:N",
                title="language",
                scale=alt.Scale(domain=names + [f"meaning {m}" for m in meanings], range=colours),
                legend=theme.language_legend(values=names),
            ),
            opacity=alt.when(hover).then(alt.value(0.85)).otherwise(alt.value(0.08)),
            size=alt.when(hover, empty=False).then(alt.value(130)).otherwise(alt.value(48)),
            tooltip=[
                *([alt.Tooltip("text:N", title="sentence")] if texts is not None else []),
                alt.Tooltip("name:N", title="language"),
                alt.Tooltip("sentence:O", title="meaning"),
            ],
        )
        .add_params(hover, *frames.sliders(layer), colour_by, fit)
        .properties(width="container", height=430, title=frames.title("Where the sentences lie"))
    )
    return finish(
        chart,
        f"Map of {len(meanings)} sentences in {len(names)} languages by their activations in two dimensions, "
        f"for {len(frames.layers)} layers and {len(frames.steps)} checkpoints.",
    )


@dataclass(frozen=True)
class Page:
    """A piece of HTML that a notebook displays."""

    source: str

    def _repr_html_(self) -> str:
        return self.source


def side_by_side(corpus: ParallelCorpus, sentences: Sequence[int] = (0, 1, 2, 3)) -> Page:
    """The same sentences in every language of a corpus, one table a meaning, to be unfolded one by one.

    Every cell carries its language and writing direction, for browsers, screen readers and fonts; texts are
    escaped, so that a corpus cannot bring markup into the page.

    Parameters
    ----------
    corpus : ParallelCorpus
        Any parallel corpus.
    sentences : sequence of int
        Which meanings to show; the first is unfolded.

    Raises
    ------
    ValueError
        When a meaning is not in the corpus.
    """
    outside = [number for number in sentences if not 0 <= number < corpus.n_sentences]
    if outside:
        raise ValueError(f"no sentence {outside[0]}; the corpus has {corpus.n_sentences}")
    parts = []
    for position, number in enumerate(sentences):
        rows = "".join(
            f"<tr><th scope='row'>{_both_names(code)}</th>{_cell(code, corpus.texts[at][number])}</tr>"
            for at, code in enumerate(corpus.languages)
        )
        kind = f" · {html.escape(corpus.kinds[number])}" if corpus.kinds else ""
        parts.append(
            f"<details{'' if position else ' open'}><summary>sentence {number}{kind}</summary>"
            f"<table class='side-by-side'>{rows}</table></details>"
        )
    return Page("".join(parts))


def _both_names(code: str) -> str:
    if code not in LANGUAGES:
        return html.escape(code)
    language = LANGUAGES[code]
    if language.name == language.endonym:
        return html.escape(language.name)
    return f"{html.escape(language.name)} <bdi {_marked(code)}>{html.escape(language.endonym)}</bdi>"


def _cell(code: str, text: str) -> str:
    return f"<td {_marked(code)}>{html.escape(text)}</td>"


def _marked(code: str) -> str:
    """The ``lang`` and ``dir`` attributes of a language."""
    tag = LANGUAGES[code].cldr.replace("_", "-") if code in LANGUAGES else code.partition("_")[0]
    script = code.partition("_")[2]
    return f"lang='{html.escape(tag)}' dir='{'rtl' if script in RIGHT_TO_LEFT else 'ltr'}'"


# ---- what several figures share ---------------------------------------------------------------------------


def _long_scores(similarity: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """One row a score: value, interval and null of LRDS and of SADS."""
    parts = {
        "value": "{}",
        "low": "{}_low",
        "high": "{}_high",
        "null": "{}_null",
        "null_low": "{}_null_low",
        "null_high": "{}_null_high",
    }
    need(similarity, [*keys, *(column.format(score) for score in _SCORES for column in parts.values())])
    rows = pd.concat(
        similarity[[*keys, *(column.format(score) for column in parts.values())]]
        .set_axis([*keys, *parts], axis=1)
        .assign(score=label)
        for score, label in _SCORES.items()
    ).round(4)
    check_rows(rows)
    return rows
