"""Figures of the language regions: where they lie, what silencing them costs, and what the model still knows.

As in :mod:`lingua_utils.charts.figures`, a tidy table goes in and an Altair chart comes out; collated over runs the
tables also have ``model_id`` and ``step``, and a slider then chooses the checkpoint.
"""

from __future__ import annotations

import altair as alt
import pandas as pd

from lingua_utils.charts import theme
from lingua_utils.charts.parts import (
    Frames,
    by_stack,
    check_rows,
    choice,
    finish,
    layer_axis,
    need,
    paired,
    rule,
    split_stacks,
    stack_panels,
    step_axis,
    with_steps,
)

_METHODS = ["zscore", "calibrated", "lape", "ap"]
_METHOD_SCALE = alt.Scale(domain=_METHODS, range=["#c2571a", "#2f7fc1", "#2e8b57", "#8e5bb5"])
_SQUARE = 300


def _methods(table: pd.DataFrame) -> tuple[list[alt.Parameter], str]:
    """A list of the rules that are in a table, the calibrated one first chosen."""
    present = [method for method in _METHODS if (table.method == method).any()]
    first = "calibrated" if "calibrated" in present else None
    return choice("method", present, first=first, label="rule")


def _by_rule(drawn: alt.LayerChart, rows: pd.DataFrame, title: str, subtitle: str) -> alt.FacetChart:
    """A panel for each rule, two in a row; of an encoder-decoder a row a rule and a column a stack."""
    if paired(rows):
        rules = alt.Row("method:N", title=None, sort=_METHODS)
        chart = drawn.facet(row=rules, column=stack_panels(alt.Column))
    else:
        chart = drawn.facet(alt.Facet("method:N", title=None, sort=_METHODS), columns=2)
    return chart.properties(title=alt.Title(title, subtitle=subtitle))


def _names(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Codes of languages in these columns replaced by English names."""
    return table.assign(**{column: table[column].map(theme.language_name) for column in columns})


def null_shares(null: pd.DataFrame) -> alt.LayerChart:
    """Share of all neurons that each rule calls key to some language, really and with languages shuffled.

    Parameters
    ----------
    null : DataFrame
        The ``region_null`` table of one run: ``method``, ``share``, ``share_shuffled``.
    """
    need(null, ["method", "share", "share_shuffled"])
    rows = null.melt("method", ["share", "share_shuffled"], "languages", "of_all").round(4)
    rows["languages"] = rows.languages.map({"share": "as they are", "share_shuffled": "shuffled"})
    bars = (
        alt.Chart(rows)
        .mark_bar()
        .encode(
            alt.X("of_all:Q", title="share of all neurons", axis=alt.Axis(format="%")),
            alt.Y("languages:N", title=None, axis=None),
            alt.Color(
                "languages:N",
                title="languages",
                scale=alt.Scale(
                    domain=["as they are", "shuffled"], range=[theme.MEANING_SCORE, theme.BASELINE]
                ),
            ),
            tooltip=["method:N", "languages:N", alt.Tooltip("of_all:Q", title="share", format=".1%")],
        )
        .properties(width=460, height={"step": 16})
        .facet(
            row=alt.Row(
                "method:N", title=None, sort=_METHODS, header=alt.Header(labelAngle=0, labelAlign="left")
            )
        )
    )
    return finish(bars, "Share of neurons called key by each rule, with real and with shuffled languages.")


def region_atlas(counts: pd.DataFrame) -> alt.LayerChart:
    """How much of every layer is key to each language: one strip a language, a slider over checkpoints.

    Parameters
    ----------
    counts : DataFrame
        ``region_counts`` of one run, or collated over the checkpoints of one model: ``method``, ``layer``,
        ``layer_index``, ``language``, ``count``, ``share``, ``expected``.
    """
    need(counts, ["method", "layer", "layer_index", "language", "count", "share", "expected"])
    counts = split_stacks(counts)
    table = counts.assign(strip=counts.layer, layer="all", layer_index=0)
    keys = ["method", "language", *(["stack"] if paired(counts) else []), "strip"]
    frames = Frames.of(table, keys, ["count", "share", "expected"], decimals=4)
    methods, method = _methods(counts)
    names = [theme.language_name(code) for code in dict.fromkeys(counts.language)]
    for record in frames.records:
        record["language"] = theme.language_name(record["language"])
    strips = (
        frames.chart()
        .transform_filter(method)
        .transform_calculate(**{name: frames.pick(name) for name in ("count", "share", "expected")})
        .mark_rect(stroke=theme.RULE)
        .encode(
            layer_axis(counts.sort_values("layer_index").layer, field="strip"),
            alt.Y("language:N", title=None, sort=names),
            alt.Color(
                "share:Q",
                title="share of the layer's neurons",
                scale=alt.Scale(scheme="blues", domain=[0, float(counts.share.max()) or 1.0]),
                legend=alt.Legend(orient="bottom", gradientLength=260, format="%"),
            ),
            tooltip=[
                alt.Tooltip("language:N"),
                alt.Tooltip("strip:N", title="layer"),
                alt.Tooltip("count:Q", title="key neurons"),
                alt.Tooltip("expected:Q", title="by chance", format=".1f"),
            ],
        )
    )
    chance = strips.mark_text(fontSize=9, color=theme.INK).encode(
        text=alt.Text("expected:Q", format=".0f"), color=alt.value("#8a8a8a"), tooltip=alt.value(None)
    )
    chart = (
        by_stack(strips + chance, counts, height=24 * len(names))
        .add_params(*frames.sliders(), *methods)
        .properties(title=frames.title("Key neurons (number: by chance)", name_layer=False))
    )
    return finish(chart, f"Share of each layer's neurons that is key to each of {len(names)} languages.")


def region_size_by_step(counts: pd.DataFrame) -> alt.FacetChart:
    """Mean number of key neurons of a language against the training step, and by chance, for every rule.

    Parameters
    ----------
    counts : DataFrame
        Collated ``region_counts`` of one or several models.
    """
    table = split_stacks(with_steps(counts, ["method", "layer", "language", "count", "expected"]))
    keys = ["model", "method", *(["stack"] if paired(table) else []), "step"]
    sizes = table.groupby([*keys, "language"])[["count", "expected"]].sum()
    rows = sizes.groupby(keys).agg(
        neurons=("count", "mean"), low=("count", "min"), high=("count", "max"), expected=("expected", "mean")
    )
    rows = rows.reset_index().round(2)
    check_rows(rows)
    x, y = step_axis(rows.step), "key neurons of a language"
    colour = alt.Color("model:N", title="model")
    base = alt.Chart(rows)
    tooltip = ["model:N", alt.Tooltip("step:Q", format=","), alt.Tooltip("neurons:Q", format=".1f")]
    tooltip += [alt.Tooltip("expected:Q", title="by chance", format=".1f")]
    drawn = alt.layer(
        base.mark_area(opacity=0.15).encode(x, alt.Y("low:Q", title=y), alt.Y2("high:Q"), colour),
        base.mark_line(strokeDash=[4, 4], strokeWidth=1.2).encode(x, alt.Y("expected:Q"), colour),
        base.mark_line(point=True).encode(x, alt.Y("neurons:Q"), colour, tooltip=tooltip),
    ).properties(width=250, height=200)
    chart = _by_rule(
        drawn,
        rows,
        "Size of the regions through training",
        "mean and range over languages · dashed: shuffled languages",
    ).resolve_scale(y="independent")
    return finish(
        chart, "Number of key neurons of a language against training step, for each rule, with chance."
    )


def concentration(concentration: pd.DataFrame) -> alt.FacetChart:
    """Share of each region in the first and last tenth of the layers, against an even spread.

    Parameters
    ----------
    concentration : DataFrame
        ``region_concentration`` of one run: ``method``, ``stack``, ``language``, ``share_outer``, ``low``,
        ``high``, ``uniform``, ``n_neurons``.
    """
    need(concentration, ["method", "language", "share_outer", "low", "high", "uniform", "n_neurons"])
    rows = _names(concentration[concentration.n_neurons > 0], "language").round(4)
    names = list(dict.fromkeys(rows.language))
    base = alt.Chart(rows).encode(alt.Y("language:N", title=None, sort=names))
    x = alt.X("share_outer:Q", title="share in the outer layers", axis=alt.Axis(format="%"))
    drawn = alt.layer(
        alt.Chart(rows).mark_rule(strokeDash=[5, 4], color=theme.BASELINE).encode(alt.X("uniform:Q")),
        base.mark_rule(strokeWidth=2).encode(
            alt.X("low:Q", title="share in the outer layers"),
            alt.X2("high:Q"),
            alt.Color("method:N", scale=_METHOD_SCALE, legend=None),
        ),
        base.mark_point(filled=True, size=50).encode(
            x,
            alt.Color("method:N", scale=_METHOD_SCALE, legend=None),
            tooltip=[
                "language:N",
                "n_neurons:Q",
                alt.Tooltip("share_outer:Q", format=".1%"),
                alt.Tooltip("uniform:Q", format=".1%"),
            ],
        ),
    )
    chart = _by_rule(
        drawn.properties(width=250, height={"step": 18}),
        rows,
        "First and last tenth of the layers",
        "95 % intervals · dashed: an even spread",
    )
    return finish(
        chart, "Share of each language's key neurons in the outer layers, with an even spread as baseline."
    )


def region_overlap(overlap: pd.DataFrame) -> alt.LayerChart:
    """Jaccard overlap of every two languages' regions; the colour is what exceeds chance.

    Parameters
    ----------
    overlap : DataFrame
        ``region_overlap`` of one run: ``method``, ``stack``, ``source``, ``target``, ``jaccard``, ``chance``.
    """
    need(overlap, ["method", "source", "target", "jaccard", "chance"])
    rows = _names(overlap, "source", "target").assign(excess=overlap.jaccard - overlap.chance).round(4)
    check_rows(rows)
    names = list(dict.fromkeys(rows.source))
    methods, method = _methods(rows)
    reach = float(rows.excess.abs().max()) or 1.0
    base = (
        alt.Chart(rows)
        .transform_filter(method)
        .encode(
            alt.X("target:N", title=None, sort=names, axis=alt.Axis(labelAngle=-45)),
            alt.Y("source:N", title=None, sort=names),
            tooltip=[
                "source:N",
                "target:N",
                alt.Tooltip("jaccard:Q", format=".3f"),
                alt.Tooltip("chance:Q", format=".3f"),
            ],
        )
    )
    squares = base.mark_rect().encode(
        alt.Color(
            "excess:Q",
            title="Jaccard − chance",
            scale=alt.Scale(scheme="redblue", domain=[-reach, reach]),
            legend=alt.Legend(orient="bottom", gradientLength=260),
        )
    )
    # Two empty regions have no overlap.
    numbers = (
        base.transform_filter("isValid(datum.jaccard)")
        .mark_text(fontSize=9, color="#111111")
        .encode(text=alt.Text("jaccard:Q", format=".2f"))
    )
    chart = by_stack(squares + numbers, rows, height=_SQUARE).add_params(*methods)
    chart = chart.properties(title="Overlap of regions (number: Jaccard)")
    return finish(chart, f"Heat map of the overlap of {len(names)} languages' regions, beyond chance.")


def region_agreement(agreement: pd.DataFrame) -> alt.LayerChart:
    """How far every two rules select the same neurons: a point a language, the dashed tick is chance.

    Parameters
    ----------
    agreement : DataFrame
        ``region_agreement`` of one run: ``method_a``, ``method_b``, ``stack``, ``language``, ``jaccard``,
        ``chance``.
    """
    need(agreement, ["method_a", "method_b", "language", "jaccard", "chance"])
    rows = (
        _names(agreement, "language").assign(rules=agreement.method_a + " · " + agreement.method_b).round(4)
    )
    base = alt.Chart(rows).encode(alt.Y("rules:N", title=None, sort=list(dict.fromkeys(rows.rules))))
    codes = agreement.language.unique()
    points = base.mark_point(filled=True, size=60, opacity=0.85).encode(
        alt.X(
            "jaccard:Q", title="Jaccard overlap", axis=alt.Axis(tickCount=5) if paired(rows) else alt.Axis()
        ),
        alt.Color(
            "language:N", title="language", scale=theme.language_scale(codes), legend=theme.language_legend()
        ),
        tooltip=[
            "rules:N",
            "language:N",
            alt.Tooltip("jaccard:Q", format=".3f"),
            alt.Tooltip("chance:Q", format=".3f"),
        ],
    )
    chance = base.mark_tick(thickness=2, color=theme.BASELINE).encode(alt.X("mean(chance):Q"))
    chart = by_stack(chance + points, rows, height=30 * rows.rules.nunique())
    chart = chart.properties(title=alt.Title("Agreement of the rules", subtitle="tick: chance"))
    return finish(
        chart, "Overlap of the regions that every two rules select, for each language, with chance."
    )


def silencing_matrix(silencing: pd.DataFrame) -> alt.HConcatChart:
    """Change in bits per byte of every language when each region is silenced; the random controls beside it.

    Parameters
    ----------
    silencing : DataFrame
        The ``silencing`` table of one run: ``method``, ``region_language``, ``text_language``,
        ``control_kind``, ``change``, ``low``, ``high``, ``control_mean``, ``control_sd``, ``n_neurons``.
    """
    columns = ["change", "low", "high", "control_mean", "control_sd", "n_neurons"]
    need(silencing, ["method", "region_language", "text_language", "control_kind", *columns])
    rows = _names(silencing, "region_language", "text_language").round(4)
    check_rows(rows)
    names = list(dict.fromkeys(rows.text_language))
    reach = float(rows[["change", "control_mean"]].abs().to_numpy().max()) or 1.0
    methods, method = _methods(rows)
    kinds, kind = choice("control_kind", list(dict.fromkeys(rows.control_kind)), label="controls matched by")
    tooltip = [
        alt.Tooltip("region_language:N", title="silenced"),
        alt.Tooltip("text_language:N", title="text"),
        *(alt.Tooltip(f"{name}:Q", title=name.replace("_", " "), format="+.4f") for name in columns[:5]),
        alt.Tooltip("n_neurons:Q", title="neurons"),
    ]

    def panel(value: str, title: str) -> alt.Chart:
        return (
            alt.Chart(rows)
            .transform_filter(method)
            .transform_filter(kind)
            .mark_rect()
            .encode(
                alt.X(
                    "text_language:N", title="language of the text", sort=names, axis=alt.Axis(labelAngle=-45)
                ),
                alt.Y("region_language:N", title="region silenced", sort=names),
                alt.Color(
                    f"{value}:Q",
                    title="change in bits per byte",
                    scale=alt.Scale(scheme="redblue", domain=[-reach, reach], reverse=True),
                    legend=alt.Legend(orient="bottom", gradientLength=200, format="+.2f"),
                ),
                tooltip=tooltip,
            )
            .properties(width=_SQUARE - 60, height=_SQUARE - 60, title=title)
        )

    chart = panel("change", "The region") | panel("control_mean", "Random neurons (mean of draws)")
    return finish(
        chart.add_params(*methods, *kinds),
        f"Change in bits per byte of {len(names)} languages when each region is silenced, and at random.",
    )


def selectivity(selectivity: pd.DataFrame) -> alt.FacetChart:
    """How many standard deviations of random regions lie between a region's own cost and the others'.

    Parameters
    ----------
    selectivity : DataFrame
        The ``selectivity`` table of one run: ``method``, ``region_language``, ``control_kind``,
        ``selectivity``, ``own``, ``others``, ``control_own``, ``n_neurons``.
    """
    columns = ["own", "others", "control_own", "control_others"]
    need(selectivity, ["method", "region_language", "control_kind", "selectivity", "n_neurons", *columns])
    rows = _names(selectivity[selectivity.selectivity.notna()], "region_language").round(4)
    names = list(dict.fromkeys(rows.region_language))
    kinds, kind = choice("control_kind", list(dict.fromkeys(rows.control_kind)), label="controls matched by")
    base = alt.Chart(rows).transform_filter(kind)
    x = alt.X("selectivity:Q", title="standard deviations of the controls")
    drawn = alt.layer(
        base.mark_rule(color=theme.BASELINE, strokeDash=[5, 4]).encode(x=alt.datum(0)),
        base.mark_point(filled=True, size=70).encode(
            x,
            alt.Y("region_language:N", title=None, sort=names),
            alt.Color("method:N", scale=_METHOD_SCALE, legend=None),
            tooltip=[
                alt.Tooltip("region_language:N", title="silenced"),
                alt.Tooltip("n_neurons:Q", title="neurons"),
                alt.Tooltip("selectivity:Q", format=".2f"),
                *(alt.Tooltip(f"{name}:Q", title=name.replace("_", " "), format="+.4f") for name in columns),
            ],
        ),
    )
    chart = _by_rule(
        drawn.properties(width=250, height={"step": 18}),
        rows,
        "Selectivity of each region",
        "dashed: as random regions of the same size",
    ).add_params(*kinds)
    return finish(
        chart, "Selectivity of each language's region under each rule, in control standard deviations."
    )


def dose_response(dose: pd.DataFrame) -> alt.FacetChart:
    """Cost to the own language and to the others as more of a region is silenced, strongest neurons first.

    Parameters
    ----------
    dose : DataFrame
        The ``dose`` table of one run: ``method``, ``region_language``, ``share``, ``own``, ``own_low``,
        ``own_high``, ``others``, ``others_low``, ``others_high``.
    """
    need(dose, ["method", "region_language", "share", "own", "others"])
    parts = [
        dose[["method", "region_language", "share"]].assign(
            text=text, change=dose[name], low=dose[f"{name}_low"], high=dose[f"{name}_high"]
        )
        for name, text in (("own", "its own language"), ("others", "the other languages"))
    ]
    rows = _names(pd.concat(parts), "region_language").round(4)
    check_rows(rows)
    languages, language = choice(
        "region_language", ["mean", *dict.fromkeys(rows.region_language)], label="region of"
    )
    mean = rows.groupby(["method", "share", "text"], as_index=False)[["change", "low", "high"]].mean()
    rows = pd.concat([mean.assign(region_language="mean"), rows])
    x = alt.X("share:Q", title="share of the region silenced", axis=alt.Axis(format="%", tickCount=5))
    colour = alt.Color(
        "text:N",
        title="text in",
        scale=alt.Scale(
            domain=["its own language", "the other languages"],
            range=[theme.LANGUAGE_SCORE, theme.MEANING_SCORE],
        ),
    )
    base = alt.Chart(rows).transform_filter(language)
    drawn = alt.layer(
        base.mark_rule(color=theme.BASELINE, strokeDash=[5, 4]).encode(y=alt.datum(0)),
        base.mark_area(opacity=0.15).encode(
            x, alt.Y("low:Q", title="change in bits per byte"), alt.Y2("high:Q"), colour
        ),
        base.mark_line(point=True).encode(
            x,
            alt.Y("change:Q"),
            colour,
            tooltip=["text:N", alt.Tooltip("share:Q", format=".0%"), alt.Tooltip("change:Q", format="+.4f")],
        ),
    )
    drawn = drawn.properties(width=250, height=180)
    chart = _by_rule(drawn, rows, "Dose and response", "bands: 95 % intervals over sentences")
    chart = chart.resolve_scale(y="independent").add_params(*languages)
    return finish(
        chart, "Cost of silencing growing shares of a region, to its own and to the other languages."
    )


def accuracy_by_language(accuracy: pd.DataFrame) -> alt.LayerChart:
    """Zero-shot accuracy of the intact model in every language, with intervals and chance.

    Parameters
    ----------
    accuracy : DataFrame
        The ``accuracy`` table of one run: ``language``, ``accuracy``, ``low``, ``high``, ``n_items``,
        ``chance``.
    """
    need(accuracy, ["language", "accuracy", "low", "high", "n_items", "chance"])
    rows = _names(accuracy, "language").round(4)
    codes = accuracy.language.unique()
    base = alt.Chart(rows).encode(alt.X("language:N", title=None, sort=None, axis=alt.Axis(labelAngle=-30)))
    bars = base.mark_bar(opacity=0.75).encode(
        alt.Y("accuracy:Q", title="accuracy", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
        alt.Color("language:N", scale=theme.language_scale(codes), legend=None),
        tooltip=["language:N", alt.Tooltip("accuracy:Q", format=".1%"), "n_items:Q"],
    )
    spread = base.mark_rule(strokeWidth=2, color=theme.INK).encode(alt.Y("low:Q"), alt.Y2("high:Q"))
    chance = float(rows.chance.iloc[0])
    chart = alt.layer(bars, spread, rule(chance, f"chance: {chance:.0%}")).properties(
        width="container", height=260
    )
    return finish(chart, f"Zero-shot accuracy in {len(rows)} languages, with 95 % intervals and chance.")


def accuracy_silenced(tasks: pd.DataFrame) -> alt.HConcatChart:
    """Change in accuracy of every language when each region is silenced; a random region beside it.

    Parameters
    ----------
    tasks : DataFrame
        The ``tasks`` table of one run: ``method`` ("intact" and "random" among them), ``region_language``,
        ``text_language``, ``change``, ``change_low``, ``change_high``.
    """
    need(tasks, ["method", "region_language", "text_language", "change", "change_low", "change_high"])
    rows = tasks[tasks.method != "intact"]
    keys = ["method", "region_language", "text_language"]
    rows = rows.groupby(keys, as_index=False, sort=False)[["change", "change_low", "change_high"]].mean()
    rows = _names(rows, "region_language", "text_language").round(4)
    names = list(dict.fromkeys(rows.text_language))
    reach = float(rows.change.abs().max()) or 1.0

    def panel(drawn: pd.DataFrame, title: str) -> alt.Chart:
        return (
            alt.Chart(drawn)
            .mark_rect()
            .encode(
                alt.X(
                    "text_language:N", title="language of the text", sort=names, axis=alt.Axis(labelAngle=-45)
                ),
                alt.Y("region_language:N", title="region silenced", sort=names),
                alt.Color(
                    "change:Q",
                    title="change in accuracy",
                    scale=alt.Scale(scheme="redblue", domain=[-reach, reach]),
                    legend=alt.Legend(orient="bottom", gradientLength=200, format="+.0%"),
                ),
                tooltip=[
                    alt.Tooltip("region_language:N", title="silenced"),
                    alt.Tooltip("text_language:N", title="text"),
                    *(
                        alt.Tooltip(f"{name}:Q", format="+.1%")
                        for name in ("change", "change_low", "change_high")
                    ),
                ],
            )
            .properties(width=_SQUARE - 60, height=_SQUARE - 60, title=title)
        )

    random = rows.method == "random"
    chart = panel(rows[~random], "The region") | panel(rows[random], "Random neurons")
    return finish(
        chart, f"Change in accuracy of {len(names)} languages when each region is silenced, and at random."
    )


def accuracy_against_sads(points: pd.DataFrame) -> alt.LayerChart:
    """Mean accuracy over languages against SADS, a point a checkpoint, with chance.

    Parameters
    ----------
    points : DataFrame
        ``step``, ``sads``, ``sads_low``, ``sads_high``, ``accuracy``, ``low``, ``high``, ``chance``.
    """
    need(points, ["step", "sads", "sads_low", "sads_high", "accuracy", "low", "high", "chance"])
    rows = points.astype({"step": int}).round(4)
    base = alt.Chart(rows)
    x = alt.X("sads:Q", title="SADS · same meaning")
    y = alt.Y("accuracy:Q", title="mean accuracy", axis=alt.Axis(format="%"), scale=alt.Scale(zero=False))
    chance = float(rows.chance.iloc[0])
    layers = [
        base.mark_rule(opacity=0.5).encode(x, alt.Y("low:Q", title="mean accuracy"), alt.Y2("high:Q")),
        base.mark_rule(opacity=0.5).encode(
            alt.X("sads_low:Q", title="SADS · same meaning"), alt.X2("sads_high:Q"), y
        ),
        base.mark_point(filled=True, size=60, color=theme.MEANING_SCORE).encode(
            x,
            y,
            tooltip=[
                alt.Tooltip("step:Q", format=","),
                alt.Tooltip("sads:Q", format=".3f"),
                alt.Tooltip("accuracy:Q", format=".1%"),
            ],
        ),
        base.mark_text(dy=-10, fontSize=10, color=theme.INK).encode(x, y, alt.Text("step:Q", format=",")),
        rule(chance, f"chance: {chance:.0%}"),
    ]
    chart = alt.layer(*layers).properties(
        width="container",
        height=300,
        title=alt.Title("Accuracy and alignment", subtitle="a point a checkpoint"),
    )
    return finish(chart, f"Mean zero-shot accuracy against SADS at {len(rows)} checkpoints.")
