"""Chapter 13: every model, measure, layer and step on one page, drawn and asked in the browser.

Python packs the numbers and says how the four figures look; ``book/_static/atlas.js`` fills them with what is
chosen. A chart here has named data sets and signals instead of rows: what they are called is said at
:func:`figures`.
"""

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from lingua_utils.charts import parts, theme
from lingua_utils.charts.corpus import Page
from lingua_utils.charts.languages import family_groups

#: Numbers are kept as whole ten-thousandths.
PRECISION = 10_000
#: Key neurons of one language in one layer that are listed, the strongest first.
LISTED = 50
#: What is measured: its name, how its numbers are written, and what it is beside.
MEASURES = {
    "SADS": ("alikeness by meaning (SADS)", ".2f", "limit of shuffled sentences"),
    "translations found": ("translations found", ".0%", "chance"),
    "LRDS": ("alikeness by language (LRDS)", ".2f", "limit of shuffled sentences"),
    "key neurons": ("key neurons, as a share of the layer", ".1%", "shuffled languages"),
}
_LEVELS = {"whole": [], "each": ["language"], "pairs": ["language", "other"]}
_NUMBERS = ("value", "low", "high", "null")
_SERIES = {"model": theme.MEANING_SCORE, "untrained twin": theme.UNTRAINED}


@dataclass(frozen=True)
class Part:
    """All models that read one text.

    Attributes
    ----------
    text : str
        What the text is called.
    layers : DataFrame
        ``model``, ``step``, ``layer``, ``layer_index``, ``n_parameters``; a missing step is a finished model.
    numbers : dict of DataFrame
        ``"whole"``, ``"each"`` (with ``language``) and ``"pairs"`` (with ``other`` too): ``measure``,
        ``model``, ``step``, ``layer_index``, ``value``, and perhaps ``low``, ``high``, ``null``.
    neurons : DataFrame or None
        ``model``, ``step``, ``layer_index``, ``language``, ``neuron``, ``score``.
    shown : dict or callable
        The first sentences of each language, or what gives the address at which they stand.
    """

    text: str
    layers: pd.DataFrame
    numbers: Mapping[str, pd.DataFrame]
    neurons: pd.DataFrame | None
    shown: Mapping[str, Sequence[str]] | Callable[[str], str]


def atlas(parts_of: Sequence[Part], measure: str) -> Page:
    """The page: four controls, four figures with their tables, and what a chosen cell is made of.

    Parameters
    ----------
    parts_of : sequence of Part
        It opens on the largest model of the first, at the layer in which the measure is highest.
    measure : str
        The measure to open with.

    Raises
    ------
    ValueError
        When nothing was measured.
    """
    if not parts_of:
        raise ValueError("the atlas has no model; measure one, or publish its tables")
    data = {
        "precision": PRECISION,
        "many": theme.MANY,
        "measures": {
            name: dict(zip(("label", "form", "beside"), of, strict=True)) for name, of in MEASURES.items()
        },
        "models": [model for part in parts_of for model in _models(part)],
        "texts": {part.text: _text(part) for part in parts_of},
        "languages": _languages(parts_of),
        "figures": {name: chart.to_dict() for name, chart in figures().items()},
    }
    data["opening"] = {"model": data["models"][0]["id"], "measure": measure}
    return Page(_PAGE.format(data=json.dumps(data, cls=theme.ScriptSafe, separators=(",", ":"))))


# ---- numbers ----------------------------------------------------------------------------------------------


def _models(part: Part) -> list[dict[str, Any]]:
    """The models of a text, the largest first, each with its arrays."""
    layers = part.layers.assign(step=parts.SliderTable.step_of(part.layers))
    sizes = layers.groupby("model", sort=False).n_parameters.max().sort_values(ascending=False, kind="stable")
    return [_packed(part, model, layers[layers.model == model]) for model in sizes.index]


def _packed(part: Part, model: str, of_model: pd.DataFrame) -> dict[str, Any]:
    """One model on one text: what its axes are, and for each level and measure a flat array over them."""
    of_model = of_model.sort_values("layer_index")
    axes = {"step": sorted(of_model.step.unique()), "layer_index": list(of_model.layer_index.unique())}
    each = part.numbers["each"]
    codes = sorted(each.language[each.model == model].unique(), key=theme.language_name)
    held: dict[str, Any] = {level: {} for level in _LEVELS}
    for level, table in part.numbers.items():
        table = table[table.model == model]
        over = axes | dict.fromkeys(_LEVELS[level], codes)
        for measure, rows in table.groupby("measure", sort=False):
            held[level][measure] = _flat(rows.assign(step=parts.SliderTable.step_of(rows)), over)
    return {
        "id": f"{model}-{part.text}".lower().translate(str.maketrans(" ", "-", "',")),
        "name": f"{model} on {part.text}",
        "text": part.text,
        "layers": of_model.layer.drop_duplicates().tolist(),
        "steps": [None if step == parts.FINAL else int(step) for step in axes["step"]],
        "languages": codes,
        **held,
        "neurons": _strongest(part.neurons, model, axes),
    }


def _flat(rows: pd.DataFrame, over: Mapping[str, Sequence]) -> dict[str, Any]:
    """The numbers of a measure for every combination of the axes, one after the other; None where missing."""
    columns = [name for name in _NUMBERS if name in rows and rows[name].notna().any()]
    places = pd.MultiIndex.from_product(over.values(), names=list(over))
    wide = rows.set_index(list(over))[columns].reindex(places)
    whole = (wide.to_numpy(dtype=float) * PRECISION).round().ravel()
    return {"columns": columns, "numbers": [None if np.isnan(number) else int(number) for number in whole]}


def _strongest(neurons: pd.DataFrame | None, model: str, axes: Mapping[str, Sequence]) -> dict | None:
    """Key neurons by the positions of step and layer and by language; None where they are not known."""
    if neurons is None or model not in set(neurons.model):
        return None
    rows = neurons[neurons.model == model]
    rows = rows.assign(step=parts.SliderTable.step_of(rows)).sort_values("score", ascending=False)
    return {
        f"{axes['step'].index(step)} {axes['layer_index'].index(layer)} {language}": cell.neuron.head(
            LISTED
        ).tolist()
        for (step, layer, language), cell in rows.groupby(["step", "layer_index", "language"])
    }


def _codes(parts_of: Sequence[Part]) -> list[str]:
    return sorted({code for part in parts_of for code in part.numbers["each"].language})


def _languages(parts_of: Sequence[Part]) -> dict[str, dict[str, Any]]:
    """What the page calls each language, and how it is drawn."""
    codes = _codes(parts_of)
    names = parts.unique_names(codes)
    groups = family_groups(pd.Series({code: theme.family(code) for code in codes}))
    single, families = theme.language_colours(codes), theme.family_colours(groups)
    return {
        code: {
            "name": names[code],
            "colour": single[code],
            "family": str(groups[code]),
            "rank": int(groups.cat.codes[code]),
            "family_colour": families[groups[code]],
            "jitter": zlib.crc32(code.encode()) % 100,
            "attributes": theme.language_attributes(code),
        }
        for code in codes
    }


def _text(part: Part) -> dict[str, Any]:
    """Sentences by language, or the addresses at which they stand."""
    codes = _codes([part])
    if callable(part.shown):
        return {"addresses": {code: part.shown(code) for code in codes}}
    return {"sentences": {code: list(part.shown[code]) for code in codes if code in part.shown}}


# ---- figures ----------------------------------------------------------------------------------------------


def figures() -> dict[str, alt.TopLevelMixin]:
    """The four figures, without data.

    Each has the signals ``heading`` and ``subheading`` (lines of text), ``form`` (how numbers are written),
    ``chosen`` and ``other`` (names of languages; empty for none); one or the other has ``names`` (of ticks),
    ``limits`` (of colour) and ``n_families``. The data sets and their columns:

    - ``whole``: ``series``, ``at``, ``place``, ``value``, ``low``, ``high``, ``null``
    - ``languages``: ``language``, ``colour``, ``weight``, ``at``, ``value``
    - ``here``: ``at``
    - ``cells``: ``series``, ``language``, ``layer`` or ``other``, ``here``, ``value``
    - ``dots``: ``language``, ``family``, ``colour``, ``jitter``, ``value``, ``twin_value``

    Besides, what tooltips say: ``shown`` and ``interval``, and ``twin`` of a dot.
    """
    layers = alt.X(
        "at:Q", title="layer", scale=alt.Scale(nice=False),
        axis=alt.Axis(labelExpr="names[datum.value]", tickMinStep=1, grid=False, labelOverlap=True),
    )  # fmt: skip
    steps = alt.X(
        "at:Q", title="training step (log scale)", scale=alt.Scale(type="symlog", constant=16, nice=False),
        axis=alt.Axis(values=alt.expr("names"), format=",d", grid=False, labelOverlap="greedy"),
    )  # fmt: skip
    return {
        "layers": _lines(layers, "The chosen measure by layer, of the model and of its untrained twin."),
        "steps": _lines(steps, "The chosen measure in the chosen layer through training."),
        "languages": _cells("layer", "layer", 0, "The chosen measure by language and layer."),
        "families": _dots(),
        "pairs": _cells("other", None, -45, "The chosen measure between every two languages."),
    }


def _finish(chart: alt.TopLevelMixin, description: str, *further: alt.Parameter) -> alt.TopLevelMixin:
    """A figure with the signals that all of them have."""
    shared = [
        alt.param(name=name, value=value)
        for name, value in {"heading": "", "subheading": "", "form": ".2f", "chosen": "", "other": ""}.items()
    ]
    chart = parts.finish(chart, alt.Title(alt.expr("heading")), description, *shared, *further)
    # Vega-Lite takes no signal for a subtitle; Vega, to which it is compiled in the browser, does.
    patch = [{"op": "add", "path": "/title/subtitle", "value": {"signal": "subheading"}}]
    if chart.usermeta is not alt.Undefined:
        patch += chart.usermeta["embedOptions"]["patch"]
    return chart.properties(usermeta={"embedOptions": {"patch": patch}})


def _muted(full: float, muted: float) -> alt.Opacity:
    """Full for the chosen language, and for all while none is chosen."""
    is_chosen = "chosen == '' || datum.language == chosen || (isValid(datum.other) && datum.other == chosen)"
    return alt.when(is_chosen).then(alt.value(full)).otherwise(alt.value(muted))


def _numbers() -> list[alt.Tooltip]:
    return [alt.Tooltip("shown:N", title="value"), alt.Tooltip("interval:N", title="95 % interval")]


def _lines(x: alt.X, description: str) -> alt.LayerChart:
    """The mean of all languages with its interval, the twin's, their nulls, and a thin line a language."""
    y = alt.Y("value:Q", title=None, axis=alt.Axis(labelExpr="format(datum.value, form)", tickCount=5))
    whole, languages, here = (alt.Chart(alt.NamedData(name)) for name in ("whole", "languages", "here"))
    colour = alt.Color(
        "series:N", title=None, scale=alt.Scale(domain=list(_SERIES), range=list(_SERIES.values()))
    )
    tooltip = [*parts.tips("series"), alt.Tooltip("place:N", title="at"), *_numbers()]
    # Hundreds of lines are to be fainter than ten.
    faint = alt.when("datum.language == chosen").then(alt.value(1)).when("chosen != ''").then(alt.value(0.1))
    faint = faint.otherwise("weight:Q", scale=None)
    drawn = alt.layer(
        here.mark_rule(color=theme.BASELINE, strokeWidth=10, opacity=0.2).encode(x),
        whole.mark_area(opacity=0.2).encode(x, alt.Y("low:Q"), alt.Y2("high:Q"), colour),
        whole.mark_line(strokeDash=[1, 3], strokeWidth=1.6).encode(x, alt.Y("null:Q"), colour),
        languages.mark_line().encode(
            x, y, alt.Detail("language:N"), alt.Stroke("colour:N", scale=None),
            strokeWidth=alt.when("datum.language == chosen").then(alt.value(2.6)).otherwise(alt.value(1)),
            opacity=faint, tooltip=parts.tips("language"),
        ),
        whole.mark_line(strokeWidth=3).encode(x, y, colour),
        whole.mark_circle(size=70, opacity=1).encode(x, y, colour, tooltip=tooltip),
    )  # fmt: skip
    # Axis labels by position: a layer of an encoder and of a decoder has a name, not a number.
    names = alt.param(name="names", value=[])
    return _finish(drawn.properties(width="container", height=240), description, names)


def _shade() -> alt.Color:
    scale = alt.Scale(scheme="viridis", domainMin=alt.expr("limits[0]"), domainMax=alt.expr("limits[1]"))
    legend = alt.Legend(gradientLength=170, labelExpr="format(datum.value, form)")
    return alt.Color("value:Q", title=None, scale=scale, legend=legend)


def _cells(across: str, title: str | None, angle: int, description: str) -> alt.FacetChart:
    """Maps of languages by layers or by languages: of the model, and of its untrained twin beside it."""
    is_chosen = "datum.language == chosen && datum.here"
    order = {"sort": None} if across == "layer" else {}
    beside = alt.Tooltip(f"{across}:N", title=title or "with")
    square = alt.Chart(alt.NamedData("cells")).mark_rect(cursor="pointer").encode(
        alt.X(f"{across}:N", title=title, axis=alt.Axis(labelAngle=angle, labelOverlap=not angle), **order),
        alt.Y("language:N", title=None, axis=alt.Axis(labelLimit=110)),
        _shade(),
        opacity=_muted(1, 0.25),
        stroke=alt.when(is_chosen).then(alt.value(theme.LANGUAGE_SCORE)).otherwise(alt.value(None)),
        strokeWidth=alt.when(is_chosen).then(alt.value(3)).otherwise(alt.value(0)),
        tooltip=[*parts.tips("series", "language"), beside, *_numbers()],
    )  # fmt: skip
    panels = alt.Facet("series:N", title=None, sort=None)
    maps = square.properties(width=215, height={"step": 19}).facet(panels, columns=2)
    return _finish(parts.fold(maps), description, alt.param(name="limits", value=[0, 1]))


def _dots() -> alt.LayerChart:
    """A dot for each of very many languages, family by family, over ticks for their untrained twins."""
    base = alt.Chart(alt.NamedData("dots")).encode(
        alt.Y("family:N", title=None, sort=None, axis=alt.Axis(labelLimit=110)), alt.YOffset("jitter:Q")
    )
    x = alt.X("value:Q", title=None, axis=alt.Axis(labelExpr="format(datum.value, form)", tickCount=5))
    tooltip = [*parts.tips("language", "family"), *_numbers(), alt.Tooltip("twin:N", title="untrained twin")]
    drawn = alt.layer(
        base.mark_tick(color=theme.UNTRAINED, thickness=1.5, height=9).encode(
            alt.X("twin_value:Q"), opacity=_muted(0.8, 0.15)
        ),
        base.mark_circle(cursor="pointer").encode(
            x, alt.Color("colour:N", scale=None), opacity=_muted(0.8, 0.12), tooltip=tooltip,
            size=alt.when("datum.language == chosen").then(alt.value(160)).otherwise(alt.value(40)),
        ),
    )  # fmt: skip
    return _finish(
        parts.as_high_as(drawn, "22 * n_families"),
        "The chosen measure in the chosen layer of every language, family by family.",
        alt.param(name="n_families", value=1),
    )


# ---- the page ---------------------------------------------------------------------------------------------

_CONTROLS = {"model": "select", "measure": "select", "layer": "range", "step": "range"}


def _control(name: str, kind: str) -> str:
    if kind == "select":
        return f'<label>{name} <select name="{name}"></select></label>'
    return f'<label>{name} <input type="range" name="{name}" min="0" value="0"> <output></output></label>'


def _figure(name: str) -> str:
    """Where a figure is drawn, with its table and what can be fetched of it beneath."""
    forms = "".join(
        f'<button type="button" data-fetch="{form}">{form.upper()}</button> '
        for form in ("csv", "svg", "png")
    )
    return (
        f'<figure data-figure="{name}"><div class="atlas-chart"></div><figcaption>{forms}</figcaption>'
        "<details><summary>Table</summary>"
        '<div class="atlas-table" tabindex="0" role="group" aria-label="table"></div></details></figure>'
    )


_PAGE = (
    '<div id="atlas"><p class="atlas-alone">In the built book, four controls and four figures stand here.</p>'
    f"<form hidden>{''.join(_control(*control) for control in _CONTROLS.items())}"
    '<button type="button" name="all" hidden></button></form>'
    f'<div class="atlas-figures" hidden>{"".join(map(_figure, figures()))}</div>'
    '<section class="atlas-cell" aria-live="polite" hidden></section>'
    '<script type="application/json">{data}</script></div>'
)
