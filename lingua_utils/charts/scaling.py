"""Chapter 09: finished models side by side, each at its last revision."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from lingua_utils.charts import parts, theme, titles

_DEPTH = alt.X("depth:Q", title="relative depth (0: first layer, 1: last)", axis=alt.Axis(tickCount=5))


def scores_by_model(
    similarity: pd.DataFrame, order: Sequence[str] = (), scale: str = "raw"
) -> alt.FacetChart:
    """LRDS and SADS of all layers together, model beside model.

    Parameters
    ----------
    similarity : DataFrame
        Collated ``similarity`` tables of some models.
    order : sequence of str
        Model ids in the order in which they are to stand; others follow.
    scale : {"raw", "centred", "standardised"}
        Which scores to show.
    """
    table = _finished(parts.chosen(similarity, "scale", scale).query("layer == 'all'"), ["kind"])
    rows = parts.long_scores(table, ["model", "kind"])
    models = [parts.short(name) for name in dict.fromkeys([*order, *table.model_id])]
    kinds, kind = parts.kind_choice(rows.kind)
    base = parts.chart_of(rows, kind).encode(alt.Y("model:N", sort=models, title=None))
    colour = parts.score_colour()
    colour.legend = None
    drawn = alt.layer(
        base.mark_bar(color=theme.BASELINE, opacity=0.35, height=12, minBandSize=2).encode(
            alt.X("null_low:Q"), alt.X2("null_high:Q")
        ),
        base.mark_rule(strokeWidth=2).encode(alt.X("low:Q"), alt.X2("high:Q"), colour),
        base.mark_point(size=70, opacity=1).encode(
            alt.X("value:Q", title="difference of mean cosines"), colour, tooltip=parts.score_tips("model")
        ),
    )
    return parts.finish(
        parts.by_score(drawn, width=190, height={"step": 26}),
        alt.Title(titles.scores_by_model(table), subtitle=f"{scale} · all layers together · {parts.LINES}"),
        f"LRDS and SADS of {', '.join(models)}, with 95 % intervals and their null.",
        *kinds,
    )


def beside_twin(table: pd.DataFrame) -> alt.FacetChart:
    """Each measure over all layers as it is, and less that of the untrained twin, model beside model.

    Cosines and what chance finds grow with width, depth and shared tokens, of which the twin has as much.

    Parameters
    ----------
    table : DataFrame
        ``model_id``, ``training_seed``, ``measure``, ``value``, ``low``, ``high``, ``twin``, ``gain``,
        ``gain_low``, ``gain_high``; the gain is the value less the twin's, NaN where no twin was measured.
    """
    parts.need(table, ["training_seed", "measure", "value", "low", "high", "twin", "gain_low", "gain_high"])
    table = parts.with_models(table)
    columns = ["model", "training_seed", "measure"]
    raw = table[[*columns, "value", "low", "high", "twin"]].assign(shown="as measured", of_twin=table.twin)
    gain = table[[*columns, "gain", "gain_low", "gain_high"]].set_axis(
        [*columns, "value", "low", "high"], axis=1
    )
    gain = gain.assign(shown="less its untrained twin", of_twin=0.0, twin=table.twin).dropna(subset="value")
    rows = pd.concat([raw, gain], ignore_index=True)
    rows["panel"] = rows.measure + ", " + rows.shown
    tips = parts.tips("model", "training_seed", **dict.fromkeys(("value", "low", "high", "twin"), ".3f"))
    base = parts.chart_of(rows).encode(alt.Y("model:N", title=None, sort=list(dict.fromkeys(table.model))))
    drawn = alt.layer(
        base.mark_tick(color=theme.UNTRAINED, thickness=3, size=14).encode(alt.X("of_twin:Q")),
        base.mark_rule(strokeWidth=2, color=theme.MEANING_SCORE).encode(alt.X("low:Q"), alt.X2("high:Q")),
        base.mark_point(size=60, opacity=1, color=theme.MEANING_SCORE).encode(
            alt.X("value:Q", title=None), tooltip=tips
        ),
    ).properties(width=190, height={"step": 24})
    panels = alt.Facet("panel:N", title=None, sort=list(dict.fromkeys(rows.sort_values("measure").panel)))
    return parts.finish(
        parts.fold(drawn.facet(panels, columns=2).resolve_scale(x="independent")),
        alt.Title(
            titles.beside_twin(table),
            subtitle="lines: 95 % intervals · ticks: untrained twin · a point per training",
        ),
        f"{', '.join(dict.fromkeys(rows.measure))} of {rows.model.nunique()} models as measured, and less "
        "those of their untrained twins, with 95 % intervals.",
    )


def scores_by_depth(similarity: pd.DataFrame, scale: str = "raw", kind: str = "all") -> alt.FacetChart:
    """LRDS and SADS of each layer against its relative depth, a line per training above its null's band.

    The first layer has depth 0 and the last one depth 1; an encoder and its decoder have lines of their own.

    Parameters
    ----------
    similarity : DataFrame
        Collated ``similarity`` tables of some models.
    scale : {"raw", "centred", "standardised"}
        Which scores to show.
    kind : str
        Which group of sentences to show.
    """
    table = _by_depth(parts.chosen(parts.chosen(similarity, "scale", scale), "kind", kind))
    rows = parts.long_scores(table, ["model", "training_seed", "layer", "depth"])
    colour = parts.series_colour(rows, "model")
    base = parts.chart_of(rows).encode(alt.Detail("training_seed:N"))
    drawn = parts.score_lines(base, _DEPTH, colour, "model", "layer", depth=".2f")
    return parts.finish(
        parts.by_score(drawn, height=parts.HEIGHT),
        alt.Title(titles.scores_by_depth(table), subtitle=f"{scale} · {parts.BANDS}"),
        f"LRDS and SADS against relative depth in {rows.model.nunique()} models, with 95 % intervals and "
        "the shuffled band.",
    )


def scores_against_size(similarity: pd.DataFrame, scale: str = "raw") -> alt.FacetChart:
    """LRDS and SADS of all layers together against the number of parameters, a point per model.

    Parameters
    ----------
    similarity : DataFrame
        Collated ``similarity`` tables with ``n_parameters`` and perhaps ``model_type``; models of unknown
        size are left out.
    scale : {"raw", "centred", "standardised"}
        Which scores to show.

    Raises
    ------
    ValueError
        When no model has a number of parameters, or a column is missing.
    """
    parts.need(similarity, ["n_parameters"])
    table = _finished(parts.chosen(similarity, "scale", scale).query("layer == 'all'"), ["kind"])
    table = table[table.n_parameters.notna()].astype({"n_parameters": float})
    if table.empty:
        raise ValueError("no model has a number of parameters; the column n_parameters is empty")
    types = table.model_type if "model_type" in table else pd.Series(index=table.index, dtype=object)
    table = table.assign(model_type=types.fillna("unknown"))
    rows = parts.long_scores(table, ["model", "model_type", "n_parameters", "kind"])
    kinds, kind = parts.kind_choice(rows.kind)
    base = parts.chart_of(rows, kind).encode(
        alt.X(
            "n_parameters:Q",
            title="parameters (log scale)",
            scale=alt.Scale(type="log", nice=False, padding=20),
            axis=alt.Axis(
                format="~s",
                labelExpr="replace(datum.label, 'G', 'B')",
                tickCount=5,
                grid=False,
                labelOverlap=True,
            ),
        )
    )
    colour = parts.series_colour(rows, "model_type", "type of model")
    drawn = alt.layer(
        base.mark_rule(strokeWidth=8, opacity=0.35, color=theme.BASELINE).encode(
            alt.Y("null_low:Q"), alt.Y2("null_high:Q")
        ),
        base.mark_rule(strokeWidth=2).encode(alt.Y("low:Q"), alt.Y2("high:Q"), colour),
        base.mark_point(size=70, opacity=1).encode(
            alt.Y("value:Q", title="difference of mean cosines"),
            colour,
            tooltip=parts.score_tips("model", "model_type", n_parameters=","),
        ),
    )
    return parts.finish(
        parts.by_score(drawn, height=parts.HEIGHT),
        alt.Title(titles.scores_against_size(table), subtitle=f"{scale} · {parts.LINES}"),
        f"LRDS and SADS of {table.model.nunique()} models against their number of parameters, with 95 % "
        "intervals and their null.",
        *kinds,
    )


def retrieval_by_depth(retrieval: pd.DataFrame, kind: str = "all") -> alt.LayerChart:
    """How often a sentence's translation is its nearest neighbour, by relative depth, a line per training.

    The line is the mean over language pairs, the band their middle half, the dashed line chance.

    Parameters
    ----------
    retrieval : DataFrame
        Collated ``retrieval`` tables of some models.
    kind : str
        Which group of sentences to show.
    """
    parts.need(retrieval, ["source", "target", "accuracy", "chance"])
    rows = _by_depth(parts.chosen(retrieval, "kind", kind), ["source", "target"])
    rows = parts.mean_over_pairs(rows, ["model", "training_seed", "layer", "depth"])
    drawn = parts.lines(
        parts.chart_of(rows).encode(alt.Detail("training_seed:N")),
        _DEPTH,
        parts.share_axis(alt.Y, "accuracy", "translations found", domainMin=0),
        parts.series_colour(rows, "model"),
        parts.tips("model", "layer", depth=".2f", accuracy=".2f", chance=".3f"),
        null="chance",
    )
    return parts.finish(
        drawn.properties(width="container", height=parts.HEIGHT),
        alt.Title(titles.retrieval_by_depth(rows), subtitle=parts.PAIR_BANDS),
        f"Accuracy of cross-lingual retrieval against relative depth in {rows.model.nunique()} models, "
        "with chance.",
    )


def _finished(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """The last revision of each model and training: the one without a step, or else the one with the highest.

    Raises ValueError when a training then has two rows for the same keys.
    """
    table = table if "training_seed" in table else table.assign(training_seed=0)
    step = parts.SliderTable.step_of(table)
    last = step.groupby([table.model_id, table.training_seed]).transform("max")
    table = parts.with_models(table[step == last])
    repeated = table.model_id[table.duplicated(["model_id", "training_seed", *keys])]
    if not repeated.empty:
        raise ValueError(
            f"several rows for {repeated.iloc[0]}; a chart shows one run of each model: "
            "choose one revision, corpus, seed and setting"
        )
    return table


def _by_depth(table: pd.DataFrame, keys: Sequence[str] = ()) -> pd.DataFrame:
    """Layers of finished models with their ``depth`` in [0, 1]; each stack is a ``model`` of its own."""
    parts.need(table, ["layer", "layer_index"])
    table = _finished(table[table.layer != "all"], ["layer", *keys])
    table = parts.split_stacks(table.sort_values("layer_index", kind="stable"))
    if parts.paired(table):
        of_stack = table["stack"].where(table["stack"] == "", " · " + table["stack"])
        table = table.assign(model=table.model + of_stack)
    index = table.groupby("model").layer_index
    first, last = index.transform("min"), index.transform("max")
    return table.assign(depth=(table.layer_index - first) / (last - first).clip(lower=1))
