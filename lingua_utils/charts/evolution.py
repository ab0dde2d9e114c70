"""Chapter 08: one model through its training, beside its control."""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from lingua_utils.charts import parts, theme, titles


def scores_by_step(similarity: pd.DataFrame, scale: str = "standardised") -> alt.FacetChart | alt.LayerChart:
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
        alt.Title(titles.scores_by_step(table), subtitle=f"{scale} · all layers together · {parts.BANDS}"),
        f"LRDS and SADS of {', '.join(models)} at {rows.step.nunique()} training steps, with 95 % intervals "
        "and the band of both scores when sentences are shuffled.",
        *kinds,
    )


def layer_step_map(similarity: pd.DataFrame, scale: str = "standardised") -> alt.HConcatChart:
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
                alt.X("step:O", title="training step", axis=alt.Axis(labelAngle=-45, labelOverlap=False)),
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
        alt.Title(titles.layer_step_map(table), subtitle=scale),
        f"Two heat maps, LRDS and SADS, for {rows.layer_index.nunique()} layers at {rows.step.nunique()} "
        "training steps.",
        *models,
        *kinds,
    )


def sads_above_limit(similarity: pd.DataFrame) -> alt.FacetChart:
    """SADS of each layer through training, with intervals and the limit for all checkpoints and layers.

    Parameters
    ----------
    similarity : DataFrame
        ``similarity`` tables of one model with the limits of
        :func:`lingua_utils.measure.similarity.with_limits` over its checkpoints and layers.
    """
    columns = ["layer", "layer_index", "sads", "sads_low", "sads_high", "sads_null_limit"]
    rows = parts.with_steps(similarity, columns).sort_values(["layer_index", "step"], kind="stable")
    title = titles.sads_above_limit(rows)
    rows = rows[["layer", "step", *columns[2:]]].rename(columns={"sads_low": "low", "sads_high": "high"})
    drawn = parts.lines(
        parts.chart_of(rows),
        parts.step_axis(rows.step),
        alt.Y("sads:Q", title="SADS"),
        alt.ColorValue(theme.MEANING_SCORE),
        parts.tips("layer", step=",", sads=".3f", low=".3f", high=".3f", sads_null_limit=".3f"),
        null="sads_null_limit",
    ).properties(width=205, height=130)
    panels = alt.Facet("layer:N", title=None, sort=list(dict.fromkeys(rows.layer)))
    return parts.finish(
        parts.fold(drawn.facet(panels, columns=2)),
        alt.Title(
            title,
            subtitle="standardised · bands: 95 % · dashed: limit for all layers and checkpoints together",
        ),
        f"SADS in {rows.layer.nunique()} layers at {rows.step.nunique()} training steps, with the limit that "
        "shuffled sentences stay below in all of them together.",
    )


def models_side_by_side(outcomes: pd.DataFrame) -> alt.FacetChart:
    """Outcomes of several models through training: means over training seeds, and from the least to the most.

    Parameters
    ----------
    outcomes : DataFrame
        ``model_id``, ``training_seed``, ``step``, ``outcome`` (its name), ``value``, ``null``. Of a model
        those checkpoints are shown at which most of its trainings were measured.
    """
    table = parts.with_steps(outcomes, ["training_seed", "outcome", "value", "null"])
    groups = table.groupby(["model", "outcome", "step"], sort=False)
    rows = groups.agg(
        value=("value", "mean"),
        low=("value", "min"),
        high=("value", "max"),
        null=("null", "mean"),
        seeds=("value", "size"),
    ).reset_index()
    # A mean over fewer trainings than at the next checkpoint would be a step that no training made.
    rows = rows[rows.seeds == rows.groupby(["model", "outcome"]).seeds.transform("max")]
    drawn = parts.lines(
        parts.chart_of(rows),
        parts.step_axis(rows.step),
        alt.Y("value:Q", title=None),
        parts.series_colour(rows, "model"),
        parts.tips("model", "outcome", "seeds", step=",", value=".3f", low=".3f", high=".3f", null=".3f"),
        null="null",
    ).properties(width=parts.PANEL, height=190)
    panels = alt.Facet("outcome:N", title=None, sort=list(dict.fromkeys(outcomes.outcome)))
    return parts.finish(
        parts.fold(drawn.facet(panels, columns=2).resolve_scale(y="independent")),
        alt.Title(
            titles.models_side_by_side(rows),
            subtitle="mean over training seeds · bands: from the least to the most · dashed: null or chance",
        ),
        f"{rows.outcome.nunique()} outcomes of {rows.model.nunique()} models at {rows.step.nunique()} steps.",
    )


def selectivity_by_step(selectivity: pd.DataFrame) -> alt.LayerChart:
    """What silencing a region costs its own language beyond the others, through training; random beside it.

    Parameters
    ----------
    selectivity : DataFrame
        ``step``, ``language``, ``selectivity`` with ``low`` and ``high``, ``control``: the same of random
        neurons.
    """
    numbers = ["selectivity", "low", "high", "control"]
    table = parts.with_steps(selectivity, ["language", *numbers])
    rows = parts.with_names(table, "language")
    rows = parts.averaged(rows, ["language", "step"], numbers)
    chart = parts.lines(
        parts.chart_of(rows[["language", "step", "selectivity", "low", "high", "control"]]),
        parts.step_axis(rows.step),
        alt.Y("selectivity:Q", title="own less others, bits per byte"),
        alt.Color("language:N", scale=theme.language_scale(selectivity.language.unique()), title=None),
        parts.tips("language", step=",", selectivity=".3f", low=".3f", high=".3f", control=".3f"),
        null="control",
    )
    return parts.finish(
        chart.properties(width="container", height=parts.HEIGHT),
        alt.Title(
            titles.selectivity_by_step(table), subtitle="bands: 95 % intervals · dashed: random neurons"
        ),
        f"Selectivity of silencing at {rows.step.nunique()} training steps, beside random neurons.",
    )


def retrieval_by_step(
    retrieval: pd.DataFrame, layer: str | None = None, model: str | None = None
) -> alt.LayerChart:
    """How often a sentence's translation is its nearest neighbour, against the training step.

    The line is the mean over language pairs, the band their middle half; dashed is what the untrained model
    finds, and dotted is chance. Lists choose the model and the layer.

    Parameters
    ----------
    retrieval : DataFrame
        Collated ``retrieval`` tables.
    layer : str, optional
        Layer shown first; the one with the highest mean at the last step when not given.
    model : str, optional
        ``model_id`` shown first; the first of the table when not given.
    """
    table = parts.with_steps(retrieval, ["layer", "layer_index", "kind", "accuracy", "chance"])
    table = table.sort_values(["step", "layer_index"], kind="stable")
    rows = parts.mean_over_pairs(table, ["model", "step", "layer_index", "layer", "kind"])
    curve = ["model", "layer", "kind"]
    untrained = rows[rows.step == 0].set_index(curve).accuracy.rename("untrained")
    rows = rows.join(untrained, on=curve)
    names = sorted(rows.model.unique(), key=lambda name: name != _first(rows, model))
    first = rows[rows.model == names[0]]
    if layer is None:
        layer = first[first.step == first.step.max()].groupby("layer").accuracy.mean().idxmax()
    models, of_model = parts.choice("model", names)
    layers, at_layer = parts.choice("layer", list(rows.layer.unique()), first=layer)
    base, x = parts.chart_of(rows.drop(columns="layer_index"), of_model, at_layer), parts.step_axis(rows.step)
    colour = parts.series_colour(rows, "kind", "sentences")
    tooltip = parts.tips("model", "kind", step=",", accuracy=".1%", untrained=".1%", chance=".1%")
    y = parts.share_axis(alt.Y, "accuracy", "translations found", domainMin=0)
    dotted = base.mark_line(color=theme.BASELINE, strokeDash=[1, 3], strokeWidth=1.6)
    chart = parts.lines(base, x, y, colour, tooltip, null="untrained") + dotted.encode(x, alt.Y("chance:Q"))
    return parts.finish(
        chart.properties(width="container", height=parts.HEIGHT),
        alt.Title(
            titles.retrieval_by_step(first, layer),
            subtitle="bands: middle half of the language pairs · dashed: untrained · dotted: chance",
        ),
        f"Accuracy of cross-lingual retrieval for {', '.join(names)} at {rows.step.nunique()} training "
        "steps, by kind of sentence, with what the untrained model finds and chance.",
        *models,
        *layers,
    )


def _first(rows: pd.DataFrame, model: str | None) -> str:
    """The short name of a model, or of the first in a table."""
    return parts.short(model) if model else rows.model.iloc[0]


def nearness(plane: pd.DataFrame) -> float:
    """Distance of translations on a map over that of all its sentences; 1 where meaning plays no part.

    Parameters
    ----------
    plane : DataFrame
        ``sentence``, ``language``, ``x``, ``y``: every sentence in every language.
    """
    points = plane[["x", "y"]]
    within, whole = points - points.groupby(plane.sentence).transform("mean"), points - points.mean()
    n_languages = plane.language.nunique()
    return np.sqrt((within**2).sum().sum() / (whole**2).sum().sum() * n_languages / (n_languages - 1))


def sentence_map(
    projection: pd.DataFrame, texts: Any = None, layer: str | None = None, step: int | None = None
) -> alt.LayerChart:
    """Sentences as points in a plane: sliders for step and layer, colour by meaning or by language.

    Ten sentences, evenly taken, have a colour of their own. One is marked, in all languages, and its
    translations stand beside the map: the one that was pointed at, tapped, or chosen from the list.

    Parameters
    ----------
    projection : DataFrame
        ``projection`` tables of one model, collated and aligned: ``layer``, ``layer_index``, ``language``,
        ``sentence``, ``x``, ``y`` and, for several checkpoints, ``step``. A record of the chart is a sentence
        in a language with its coordinates at every layer and step, to three decimals of the extent there.
    texts : ParallelCorpus, optional
        Where the sentences are read: anything with ``languages`` and ``texts`` [language][sentence].
    layer, step : str, int, optional
        Shown first; where translations lie nearest to each other (:func:`nearness`) when not given.

    Raises
    ------
    ValueError
        When a column is missing, or a layer is not in the table.
    """
    parts.need(projection, ["layer", "layer_index", "language", "sentence", "x", "y"])
    # Of very many languages as many as have a colour, from all families.
    codes = list(theme.labels(projection.language))
    spaced = np.linspace(0, len(codes) - 1, min(theme.MANY, len(codes))).round().astype(int)
    rows = projection[projection.language.isin([codes[at] for at in spaced])]
    rows = rows.assign(step=parts.SliderTable.step_of(rows))
    views = rows.groupby(["layer_index", "step"])
    extent = views[["x", "y"]].transform(lambda values: values.abs().max()).max(axis=1).replace(0, 1)
    table = parts.SliderTable.pack(
        rows.assign(x=rows.x / extent, y=rows.y / extent), ["language", "sentence"], ["x", "y"]
    )
    near = views[list(rows)].apply(nearness).unstack("step")
    first = near.stack().idxmin()
    layer = layer or table.layers[near.index.get_loc(first[0])]
    step = first[1] if step is None else step

    languages = list(dict.fromkeys(rows.language))
    names = [theme.language_name(code) for code in languages]
    meanings = sorted(int(sentence) for sentence in rows.sentence.unique())
    ten = [meanings[at] for at in np.linspace(0, len(meanings) - 1, min(10, len(meanings))).astype(int)]
    n_lines = 0 if texts is None else 2 if len(languages) <= _FEW else 1
    pitch = 20 + 14 * n_lines
    for record in table.records:
        code = record["language"]
        record |= {"language": theme.language_name(code), "row": languages.index(code)}
        if texts is not None:
            text = texts.texts[texts.languages.index(code)][record["sentence"]]
            record["lines"] = parts.wrapped(text, 46, n_lines)

    colour_by = alt.param(
        name="colour_by",
        value="meaning",
        bind=alt.binding_radio(options=["meaning", "language"], name="colour by "),
    )
    named = [f"{meaning}" if texts is None else texts.texts[0][meaning] for meaning in meanings]
    marked = alt.selection_point(
        name="marked",
        fields=["sentence"],
        value=[{"sentence": ten[0]}],
        on="pointerover, click",
        clear=False,
        toggle=False,
        bind=alt.binding_select(options=meanings, labels=named, name="sentence "),
    )
    plain = alt.Axis(labels=False, ticks=False, grid=False, domain=False)
    wide = "width > 600"
    across = alt.Scale(domain=[-1.05, 1.05], nice=False, range=[0, alt.expr(f"{wide} ? 0.5 * width : width")])
    down = alt.Scale(domain=[-1.05, 1.05], nice=False, range=[alt.expr(f"{wide} ? height : {_PLANE}"), 0])
    colour = alt.Color(
        "colour:N",
        legend=None,
        scale=alt.Scale(
            domain=[*names, *map(str, ten), "other"],
            range=[
                *theme.language_colours(languages).values(),
                *(theme.hue_colour(at * theme.GOLDEN, 0.7) for at in range(len(ten))),
                theme.BASELINE,
            ],
        ),
    )
    base = table.chart().transform_calculate(
        x=table.pick("x"),
        y=table.pick("y"),
        bright=f"colour_by == 'language' || indexof({ten}, datum.sentence) >= 0",
        colour="colour_by == 'language' ? datum.language : datum.bright ? '' + datum.sentence : 'other'",
        at=f"({wide} ? 10 : {_PLANE + 24}) + {pitch} * datum.row",
    )
    dots = base.transform_filter("isValid(datum.x)").encode(
        alt.X("x:Q", title=None, scale=across, axis=plain),
        alt.Y("y:Q", title=None, scale=down, axis=plain),
        colour,
        tooltip=parts.tips("language"),
    )
    told = base.transform_filter(marked).encode(
        alt.XValue(alt.expr(f"{wide} ? 0.5 * width + 24 : 0")), alt.Y("at:Q", scale=None, axis=None)
    )
    listed = [told.mark_text(align="left", baseline="top", fontWeight=600).encode(colour, text="language:N")]
    if texts is not None:
        text = told.mark_text(align="left", baseline="top", dy=14, lineHeight=14, color=theme.INK)
        listed.append(text.encode(text="lines:N"))
    chart = alt.layer(
        dots.mark_circle().encode(
            opacity=alt.when("datum.bright").then(alt.value(0.9)).otherwise(alt.value(0.15)),
            size=alt.when("datum.bright").then(alt.value(60)).otherwise(alt.value(36)),
        ).add_params(marked),
        dots.transform_filter(marked).mark_circle(size=130, opacity=1, stroke=theme.INK, strokeWidth=2),
        *listed,
    )  # fmt: skip
    shares = f"format({near.to_numpy().round(3).tolist()}[layer_at][step_at], '.0%')"
    return parts.finish(
        parts.as_high_as(
            chart.resolve_scale(y="independent"),
            f"{pitch * len(languages)} + ({wide} ? 10 : {_PLANE + 24})",
        ),
        alt.Title(
            alt.expr(f"'Translations at ' + {shares} + ' of the usual distance'"),
            subtitle="100%: meaning plays no part on the map",
        ),
        f"Map of {len(meanings)} sentences in {len(names)} languages by their activations in two dimensions, "
        f"for {len(table.layers)} layers and {len(table.steps)} checkpoints.",
        *(*table.sliders(layer, step), colour_by),
        state=table.state(),
    )


_FEW = 12  # languages of which two lines of text are shown
_PLANE = 320  # height of the map above the list of translations, in a narrow window


def region_size_by_step(counts: pd.DataFrame, model: str | None = None) -> alt.FacetChart:
    """Mean number of key neurons of a language against the training step, and by chance, for every rule.

    Parameters
    ----------
    counts : DataFrame
        Collated ``region_counts`` of one or several models.
    model : str, optional
        ``model_id`` that the title speaks of; the first of the table when not given.
    """
    table = parts.split_stacks(parts.with_steps(counts, ["rule", "layer", "language", "count", "expected"]))
    keys = ["model", "rule", *parts.stack_keys(table), "step"]
    sizes = table.groupby([*keys, "language"], sort=False)[["count", "expected"]].sum()
    rows = sizes.groupby(keys, sort=False).agg(
        neurons=("count", "mean"), low=("count", "min"), high=("count", "max"), expected=("expected", "mean")
    )
    rows = rows.reset_index()
    base, x, colour = parts.chart_of(rows), parts.step_axis(rows.step), parts.series_colour(rows, "model")
    numbers = dict.fromkeys(("neurons", "low", "high", "expected"), ".1f")
    dashed = base.mark_line(strokeDash=[4, 4], strokeWidth=1.2)
    drawn = dashed.encode(x, alt.Y("expected:Q"), colour) + base.mark_line(point=True).encode(
        x,
        alt.Y("neurons:Q", title="key neurons of a language"),
        colour,
        tooltip=parts.tips("model", "rule", step=",", **numbers),
    )
    return parts.finish(
        parts.by_rule(drawn.properties(width=205, height=200), rows).resolve_scale(y="independent"),
        alt.Title(
            titles.region_size_by_step(rows, _first(rows, model)),
            subtitle="means over languages · dashed: shuffled languages",
        ),
        "Number of key neurons of a language against training step, for each rule, with chance.",
    )


def accuracy_against_sads(points: pd.DataFrame, model: str | None = None) -> alt.LayerChart:
    """Mean accuracy over languages against SADS: a point per model, seed and checkpoint, with chance.

    Parameters
    ----------
    points : DataFrame
        ``model_id``, ``training_seed``, ``step``, ``asked``, ``sads``, ``accuracy``, ``low``, ``high``,
        ``chance``.
    model : str, optional
        ``model_id`` that the title speaks of; the first of the table when not given.
    """
    columns = ["asked", "training_seed", "sads", "accuracy", "low", "high", "chance"]
    rows = parts.with_steps(points, columns)[["model", "step", *columns]]
    tasks = list(dict.fromkeys(rows.asked))
    shown = "translation" if "translation" in tasks else tasks[0]
    lists, task = parts.choice("asked", tasks, first=shown, label="task")
    base = parts.chart_of(rows, task)
    x = alt.X("sads:Q", title=parts.SCORES["sads"])
    y = parts.share_axis(alt.Y, "accuracy", "mean accuracy", domain=[0, 1])
    colour = parts.series_colour(rows, "model")
    tooltip = parts.tips("model", "training_seed", step=",", sads=".3f", accuracy=".1%", chance=".0%")
    chart = alt.layer(
        base.mark_line(opacity=0.4, strokeWidth=1.2).encode(
            x, y, colour, alt.Detail("training_seed:N"), alt.Order("step:Q")
        ),
        base.mark_rule(opacity=0.4).encode(x, alt.Y("low:Q"), alt.Y2("high:Q"), colour),
        base.mark_point(size=60).encode(x, y, colour, tooltip=tooltip),
        base.mark_rule(strokeDash=[4, 4], color=theme.INK).encode(alt.Y("chance:Q")),
    )
    return parts.finish(
        chart.properties(width="container", height=parts.HEIGHT),
        alt.Title(
            titles.accuracy_against_sads(rows, _first(rows, model)),
            subtitle="a point per checkpoint, joined in the order of training · dashed: chance",
        ),
        f"Mean accuracy against SADS at {len(rows)} checkpoints of {rows.model.nunique()} models, by task.",
        *lists,
    )
