"""What the charts are made of: checks, axes, choices, and many views packed into one small table.

Every chart is ``chart_of`` a tidy table and ends in ``finish``. What a chart can be asked (which layer, which
checkpoint, which sentences) is a parameter of the chart itself, so that it works on a page without a kernel.
"""

import json
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from unicodedata import east_asian_width

import altair as alt
import numpy as np
import pandas as pd

from lingua_utils.charts import theme

# A Han character or one like it, which may end a line; spaces; or a word of other characters.
_WORD = re.compile(r"[⺀-鿿가-힯＀-￯]|\s+|[^\s⺀-鿿가-힯＀-￯]+")
MAX_ROWS = 5_000
FINAL = 2**62
STACKS = ("encoder", "decoder")
PANEL = 260  # width of one of several panels, of which two stand side by side, and one fills a phone
HEIGHT = 300
WIDE = "(containerSize()[0] || 700) > 500"  # whether a chart has room; a static image has no container
LETTERS = {"title": (88, 40), "subtitle": (108, 48)}  # in a line of a wide and of a narrow chart
LARGEST = 12  # families on the axes of a map of families by families
FAMILY, OTHERS = "family", "others"  # what very many languages are compared with, beside a pivot
SCORES = {"lrds": "LRDS · same language", "sads": "SADS · same meaning"}
BANDS = "bands: 95 % intervals · grey: shuffled sentences"
LINES = "lines: 95 % intervals · grey: shuffled sentences"
LIMITS = "dotted: limit for all layers together"
PAIR_BANDS = "bands: middle half of the language pairs · dashed: chance"

# "Chinese" above "(Simplified)": a phone has room for the one or the other.
BROKEN_NAME = "split(replace(datum.label, ' (', '|('), '|')"

_TITLES = {
    "kind": "sentences",
    "source": "language",
    "target": "with",
    "strip": "layer",
    "label": "language",
    "region_language": "silenced",
    "text_language": "text in",
    "n_neurons": "key neurons",
    "n_parameters": "parameters",
    "expected": "by chance",
}


def need(table: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raise ValueError when a table lacks a column or has no rows."""
    missing = [column for column in columns if column not in table]
    if missing:
        raise ValueError(
            f"the table has no column {missing[0]!r}; it has {', '.join(map(str, table.columns))}"
        )
    if table.empty:
        raise ValueError("the table has no rows, so there is nothing to draw")


def chosen(table: pd.DataFrame, column: str, value: str) -> pd.DataFrame:
    """The rows with a value in a column; ValueError names the values that there are."""
    need(table, [column])
    if not (table[column] == value).any():
        raise ValueError(f"no {column} {value!r}; there are {', '.join(sorted(table[column].unique()))}")
    return table[table[column] == value]


def chart_of(rows: pd.DataFrame, *filters: str) -> alt.Chart:
    """A chart of the rows that pass some Vega filters, to four decimals; too many are a ValueError."""
    if len(rows) > MAX_ROWS:
        raise ValueError(
            f"{len(rows):,} rows are too many for one chart (at most {MAX_ROWS:,}); select fewer runs"
        )
    chart = alt.Chart(rows.round(4))
    for condition in filters:
        chart = chart.transform_filter(condition)
    return chart


def finish(
    chart: alt.TopLevelMixin,
    title: str | alt.Title,
    description: str,
    *parameters: alt.Parameter,
    state: str = "",
) -> alt.TopLevelMixin:
    """The chart with its title, a description for screen readers, and what it can be asked.

    Lines of the title and the subtitle are broken as the width allows. ``state`` is a Vega expression of what
    the sliders stand at, which the subtitle begins with.
    """
    title = alt.Title(title) if isinstance(title, str) else title.copy()
    if isinstance(title.text, str):
        title.text = alt.expr(_broken(title.text, "title"))
    below = "" if title.subtitle is alt.Undefined else title.subtitle
    if isinstance(below, str) and (below or state):
        # Vega-Lite takes no expression here; an image made without a browser has the lines of a phone.
        title.subtitle = textwrap.wrap(below, LETTERS["subtitle"][1]) or alt.Undefined
        signal = {"signal": _broken(below, "subtitle", first=state)}
        chart = patched(chart, {"op": "add", "path": "/title/subtitle", "value": signal})
    return chart.add_params(*parameters).properties(title=title, description=description)


def _broken(text: str, part: str, first: str = "") -> str:
    """Vega expression of a text in lines that fit a wide chart, or else a narrow one; an expression first."""
    lines = [[*filter(None, [first]), *map(_quoted, textwrap.wrap(text, n))] for n in LETTERS[part]]
    return f"{WIDE} ? [{', '.join(lines[0])}] : [{', '.join(lines[1])}]"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def patched(chart: alt.TopLevelMixin, *operations: dict) -> alt.TopLevelMixin:
    """The chart with further changes, made in the browser, to the Vega that Vega-Lite compiles it to."""
    before = [] if chart.usermeta is alt.Undefined else chart.usermeta["embedOptions"]["patch"]
    return chart.properties(usermeta={"embedOptions": {"patch": [*before, *operations]}})


def fold(chart: alt.TopLevelMixin) -> alt.TopLevelMixin:
    """Panels, two in a row, that stand below one another in a narrow window, each with its own axes.

    Vega-Lite cannot ask for the width of the window; Vega, to which it is compiled in the browser, can.
    """
    columns = {"signal": "(containerSize()[0] || 700) > 600 ? 2 : 1"}
    chart = chart.resolve_axis(x="independent", y="independent")
    return patched(chart, {"op": "add", "path": "/layout/columns", "value": columns})


def short(model_id: str) -> str:
    """A model's name in charts: of the lab's and of those that come as packages without the prefix."""
    return model_id.removeprefix("lab/").removeprefix("pypi/")


def as_high_as(chart: alt.Chart | alt.LayerChart, height: str) -> alt.Chart | alt.LayerChart:
    """A chart as wide as the page, whose height is a Vega expression: of its width, or of what is chosen.

    Vega-Lite knows steps, but warns where they meet the width of a page.
    """
    signal = {"name": "height", "update": height}
    chart = chart.properties(width="container", height=HEIGHT)
    return patched(
        chart, {"op": "remove", "path": "/height"}, {"op": "add", "path": "/signals/-", "value": signal}
    )


def with_models(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a short ``model`` name."""
    need(table, ["model_id"])
    return table.assign(model=table.model_id.map(short))


def with_steps(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Rows that have a training step, in its order, with plain integer steps and a short ``model`` name."""
    need(table, ["model_id", "step", *columns])
    table = table[table.step.notna()]
    if table.empty:
        raise ValueError("no row has a training step; revisions such as 'main' have none")
    return with_models(table).astype({"step": int}).sort_values("step", kind="stable")


def with_names(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Codes of languages in these columns replaced by English names; very many by those of families."""
    return table.assign(**{column: table[column].map(theme.labels(table[column])) for column in columns})


def averaged(table: pd.DataFrame, keys: Sequence[str], values: Sequence[str]) -> pd.DataFrame:
    """One row for each key: the table as it is, or means over the languages of a family."""
    keys = [key for key in keys if key in table]
    if not table.duplicated(keys).any():
        return table
    return table.groupby(keys, sort=False, dropna=False)[list(values)].mean().reset_index()


def by_language(languages: Iterable[str], text: str) -> str:
    """A subtitle, which says so where many languages are shown by family."""
    return f"{text} · means over families" if pd.Series(languages).nunique() > theme.MANY else text


def unique_names(codes: Sequence[str]) -> pd.Series:
    """English names by code; where two languages share one, the code stands behind it."""
    names = pd.Series({code: theme.language_name(code) for code in codes})
    alike = names.duplicated(keep=False)
    names[alike] = [f"{name} ({code})" for code, name in names[alike].items()]
    return names


def language_strips(
    table: pd.DataFrame,
    keys: Sequence[str],
    values: Sequence[str],
    colour: alt.Color,
    tooltip: list[alt.Tooltip],
    x_title: str = "layer",
) -> tuple[alt.Chart, "SliderTable", list[alt.Parameter]]:
    """Heat strips of very many languages: of families (their means), of languages, or of those searched for.

    Parameters
    ----------
    table : DataFrame
        ``language`` (codes), ``layer``, ``layer_index``, perhaps ``step``, the keys and the values. What is
        called a layer may be any other series.
    keys : sequence of str
        Columns of what is chosen from lists: the chart is to be filtered by them.
    values : sequence of str
        Columns of numbers: what is coloured, and what tooltips say.

    Returns
    -------
    chart, table, parameters
        A step slider and the title are of the packed table; the last parameters are to be added.
    """
    table = table.assign(step=SliderTable.step_of(table))
    codes = list(theme.labels(table.language))  # by family
    names = unique_names(codes)
    family = table.language.map(theme.labels(codes))
    place = [*keys, "layer", "layer_index", "step"]
    means = table.assign(label=family).groupby(["label", *place], sort=False, dropna=False)[list(values)]
    rows = pd.concat([
        means.mean().reset_index().assign(shown="families", words=""),
        table.assign(
            label=table.language.map(names),
            shown="languages",
            words=(table.language.map(names) + " " + table.language + " " + family).str.lower(),
        )[["label", *place, *values, "shown", "words"]],
    ])  # fmt: skip
    packed = SliderTable.pack(rows, ["label", "shown", "words", *keys], values)
    labels = [*dict.fromkeys(theme.labels(codes).values()), *names]
    at = {name: f"{name}_at" for name in values}
    chart = (
        packed.chart()
        .transform_filter(
            "search == '' ? datum.shown == shown_rows : "
            "datum.shown == 'languages' && indexof(datum.words, lower(search)) >= 0"
        )
        .transform_calculate(strip=str(packed.layers))
        .transform_flatten([*at.values(), "strip"])
        .transform_calculate(**{name: f"datum.{column}[step_at]" for name, column in at.items()})
        .mark_rect()
        .encode(
            layer_axis(packed.layers, "strip").title(x_title),
            alt.Y("label:N", title=None, sort=labels, axis=alt.Axis(labelLimit=110)),
            colour,
            tooltip=[*tips("label", "strip"), *tooltip],
        )
        # How many rows there are is up to the reader, and a chart as wide as its page wants to know.
        .properties(width=210, height={"step": 15})
    )
    rows_of = alt.binding_radio(options=["families", "languages"], name="rows ")
    find = alt.param(
        name="search", value="", bind=alt.BindInput(input="search", name="search ", placeholder="Hindi")
    )
    return chart, packed, [alt.param(name="shown_rows", value="families", bind=rows_of), find]


def tips(*names: str, **numbers: str) -> list[alt.Tooltip]:
    """Tooltips of some names and of some numbers in their formats, in plain words."""
    return [
        alt.Tooltip(field, title=_TITLES.get(column, column.replace("_", " ")), **form)
        for column, field, form in [
            *((name, f"{name}:N", {}) for name in names),
            *((name, f"{name}:Q", {"format": form}) for name, form in numbers.items()),
        ]
    ]


def wrapped(text: str, columns: int, n_lines: int) -> list[str]:
    """A text in lines of so many columns, of which a Han character takes two; an ellipsis ends a longer one.

    Each line keeps its own direction, so that Arabic reads from the right beside names in English.
    """
    lines, width = [""], 0
    for word in _WORD.findall(text):
        size = sum(1 + (east_asian_width(character) in "WF") for character in word)
        if width + size > columns and not word.isspace():
            lines.append("")
            width = 0
        lines[-1] += word
        width += size
    if len(lines) > n_lines:
        lines = [*lines[: n_lines - 1], lines[n_lines - 1].rstrip() + " …"]
    return [f"\u2068{line.strip()}\u2069" for line in lines]


def target_name(target: str) -> str:
    """What a language is compared with, in words."""
    words = {FAMILY: "its family", OTHERS: "all other languages"}
    return words.get(target) or theme.language_name(target)


def step_axis(steps: pd.Series) -> alt.X:
    """A logarithmic step axis with room for step 0 and a tick at every checkpoint, the last one named."""
    values = sorted({int(step) for step in steps})
    first = next((step for step in values if step > 0), 1)
    named = _named([float(np.log1p(step / first)) for step in values], 0.15)
    return alt.X(
        "step:Q",
        title="training step (log scale)",
        scale=alt.Scale(type="symlog", constant=first, nice=False),
        axis=alt.Axis(
            values=values, format=",d", grid=False, labelExpr=_label_of(values[at] for at in named)
        ),
    )


def layer_axis(layers: Iterable[str], field: str = "layer") -> alt.X:
    """Layers from the first to the last, which is named; where there are many, not every one is."""
    order = list(dict.fromkeys(layers))
    axis = alt.Axis(labelAngle=0)
    if len(order) > 10:
        axis.labelExpr = _label_of(order[at] for at in _named(list(range(len(order))), 0.1))
    return alt.X(f"{field}:N", title="layer", sort=order, axis=axis)


def _named(places: Sequence[float], apart: float) -> list[int]:
    """Which ticks of an axis have a label: the first, the last, and those as far apart, in its length."""
    length = (places[-1] - places[0]) or 1.0
    kept = [len(places) - 1]
    for at in range(len(places) - 2, 0, -1):
        if min(places[kept[-1]] - places[at], places[at] - places[0]) >= apart * length:
            kept.append(at)
    return sorted({0, *kept})


def _label_of(values: Iterable) -> str:
    """Vega expression that labels these ticks and no others."""
    return f"indexof({list(values)}, datum.value) >= 0 ? datum.label : ''"


def share_axis(channel: type, field: str, title: str, **scale) -> alt.X | alt.Y:
    """An axis of shares, in percent."""
    return channel(
        f"{field}:Q", title=title, axis=alt.Axis(format="%", tickCount=5), scale=alt.Scale(**scale)
    )


def square_axes(
    names: Sequence[str], x: str, y: str, x_title: str | None = None, y_title: str | None = None
) -> tuple[alt.X, alt.Y]:
    """Axes of a map of languages by languages."""
    return (
        alt.X(f"{x}:N", title=x_title, sort=names, axis=alt.Axis(labelAngle=-45)),
        alt.Y(f"{y}:N", title=y_title, sort=names, axis=alt.Axis(labelExpr=BROKEN_NAME, labelLineHeight=11)),
    )


def shade(
    field: str, title: str, scheme: str, limits: Sequence[float], number: str = "", reverse: bool = False
) -> alt.Color:
    """Colour of a quantity between two limits, with a legend as a strip."""
    return alt.Color(
        f"{field}:Q",
        title=title,
        scale=alt.Scale(scheme=scheme, domain=list(map(float, limits)), reverse=reverse),
        legend=_strip_legend(number),
    )


def in_squares(
    base: alt.Chart,
    field: str,
    n_columns: int,
    pale: str,
    ink: str = "currentColor",
    number: str = ".0f",
    width: str | int = "width",
) -> alt.Chart:
    """A number in each square of a map, where squares are wide enough to read it.

    ``pale`` is a Vega condition of squares on which the number has this ink, by default the page's own; on
    others it is white. ``width`` is that of the map, in pixels or as a Vega expression.
    """
    colour = alt.when(pale).then(alt.value(ink)).otherwise(alt.value("#ffffff"))
    square = f"{width} / {n_columns}"
    return base.mark_text(fontSize=alt.expr(f"{square} < 13 ? 0 : {square} < 18 ? 9 : 11")).encode(
        text=alt.Text(f"{field}:Q", format=number), color=colour
    )


def reach_of(table: pd.DataFrame, columns: Sequence[str], name: str) -> str:
    """Vega expression of how far columns go, to either side of 0, for the option chosen from a list."""
    far = table[list(columns)].abs().max(axis=1).groupby(table[name].astype(str)).max().clip(lower=1e-6)
    return f"{json.dumps(far.to_dict())}[chosen_{name}]" if len(far) > 1 else str(far.iloc[0])


def tint(field: str, title: str, colour: str, reach: str, number: str = "") -> alt.Color:
    """From nothing, the page itself, to a colour: a quantity that is 0 is not seen, on any background."""
    scale = alt.Scale(range=[_faded(colour), colour], domainMin=0, domainMax=alt.expr(reach), clamp=True)
    return alt.Color(f"{field}:Q", title=title, scale=scale, legend=_strip_legend(number))


def diverging(
    field: str, title: str, reach: str, number: str = "+.2f", worse: int = 0, **settings
) -> alt.Color:
    """Two colours that fade to nothing at zero and reach equally far; ``worse`` is the sign of the warm."""
    ends = [theme.LANGUAGE_SCORE, theme.MEANING_SCORE][:: -1 if worse > 0 else 1]
    scale = alt.Scale(
        range=[ends[0], _faded(theme.BASELINE), ends[1]],
        domainMin=alt.expr(f"-({reach})"),
        domainMid=0,
        domainMax=alt.expr(reach),
        clamp=True,
    )
    return alt.Color(f"{field}:Q", title=title, scale=scale, legend=_strip_legend(number), **settings)


def _strip_legend(number: str) -> alt.Legend:
    """A legend as a strip, short enough for a phone."""
    return alt.Legend(gradientLength=alt.expr(f"{WIDE} ? 170 : 120"), format=number, tickCount=2)


def _faded(colour: str) -> str:
    return f"rgba({', '.join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))}, 0)"


def choice(
    name: str, options: Sequence[str], first: str | None = None, label: str | None = None
) -> tuple[list[alt.Parameter], str]:
    """A drop-down list and the filter that goes with it; no list where there is nothing to choose."""
    options = [str(option) for option in options]
    if first is not None and first not in options:
        raise ValueError(f"no {name} {first!r}; there are {', '.join(options)}")
    if len(options) < 2:
        return [], "true"
    bind = alt.binding_select(options=options, name=f"{label or name} ")
    parameter = alt.param(name=f"chosen_{name}", value=first or options[0], bind=bind)
    return [parameter], f"datum.{name} == chosen_{name}"


def kind_choice(kinds: pd.Series) -> tuple[list[alt.Parameter], str]:
    """The list of groups of sentences, "all" first."""
    return choice("kind", sorted(kinds.unique(), key=lambda kind: (kind != "all", kind)), label="sentences")


def scale_choice(table: pd.DataFrame, first: str) -> tuple[list[alt.Parameter], str]:
    """The list of scales of a table, in its order, with one of them chosen first."""
    return choice("scale", list(dict.fromkeys(table.scale)), first=first)


def rules_of(table: pd.DataFrame) -> list[str]:
    """Every rule of a table: the book's in their order, then others in the table's."""
    present = list(dict.fromkeys(table.rule))
    return [rule for rule in theme.RULES if rule in present] + [r for r in present if r not in theme.RULES]


def rule_choice(table: pd.DataFrame) -> tuple[list[alt.Parameter], str]:
    """A list of the rules that are in a table, the book's leading one first chosen."""
    return choice("rule", rules_of(table))


def step_slider(table: pd.DataFrame) -> tuple[list[alt.Parameter], str, str]:
    """A slider over a table's checkpoints, the filter that goes with it, and an expression of its step."""
    steps = sorted(int(step) for step in table.step.dropna().unique()) if "step" in table else []
    if len(steps) < 2:
        return [], "true", ""
    slider = _slider("step_at", "step ", [f"{step:,}" for step in steps], len(steps) - 1)
    return slider, f"datum.step == {steps}[step_at]", "'step ' + step_at_names[step_at]"


def split_stacks(table: pd.DataFrame) -> pd.DataFrame:
    """Layers of an encoder-decoder as their ``stack`` and their name within it: "encoder 3" is layer "3".

    Rows over both stacks ("all") are left out; the table of a model with one stack is returned as it is.
    """
    parts = table.layer.str.rpartition(" ")
    if not parts[0].isin(STACKS).any():
        return table
    return table.assign(stack=parts[0], layer=parts[2])[table.layer != "all"]


def paired(table: pd.DataFrame) -> bool:
    """Whether a table tells an encoder from a decoder."""
    return "stack" in table and bool(table["stack"].isin(STACKS).any())


def stack_keys(table: pd.DataFrame) -> list[str]:
    """The column that tells an encoder from a decoder, where there is one."""
    return ["stack"] if paired(table) else []


def stack_panels(channel: type = alt.Facet, last_first: bool = False) -> alt.Facet | alt.Row | alt.Column:
    """What gives each stack a panel of its own; the last one first where layers are drawn upwards."""
    return channel("stack:N", title=None, sort=list(STACKS[:: -1 if last_first else 1]))


def by_stack(chart: alt.Chart | alt.LayerChart, rows: pd.DataFrame, **size) -> alt.TopLevelMixin:
    """A chart as wide as the page; of an encoder-decoder a panel for each stack, the encoder's first."""
    if not paired(rows):
        return chart.properties(width="container", **size)
    return fold(chart.properties(width=PANEL, **size).facet(stack_panels(), columns=2))


def by_rule(chart: alt.LayerChart, rows: pd.DataFrame) -> alt.FacetChart:
    """A panel for each rule, two in a row; of an encoder-decoder a row per rule and a column per stack."""
    rules = {"title": None, "sort": rules_of(rows)}
    if paired(rows):
        return chart.facet(row=alt.Row("rule:N", **rules), column=stack_panels(alt.Column))
    return fold(chart.facet(alt.Facet("rule:N", **rules), columns=2))


def by_score(chart: alt.LayerChart, width: int = PANEL, **size) -> alt.FacetChart:
    """A panel for LRDS and one for SADS."""
    panels = alt.Facet("score:N", title=None, sort=list(SCORES.values()))
    return fold(chart.properties(width=width, **size).facet(panels, columns=2))


def level(value: float, label: str = "") -> alt.LayerChart:
    """A dashed horizontal line, named at its right end: a null, a chance level."""
    base = alt.Chart(alt.Data(values=[{"value": value, "label": label}])).encode(alt.Y("value:Q"))
    line = base.mark_rule(strokeDash=[5, 4], color=theme.BASELINE)
    return line + base.mark_text(align="right", dy=-7, color=theme.INK).encode(
        x=alt.value("width"), text="label:N"
    )


def zero(base: alt.Chart, channel: str) -> alt.Chart:
    """A dashed line where there is no effect."""
    return base.mark_rule(color=theme.BASELINE, strokeDash=[5, 4]).encode(**{channel: alt.datum(0)})


def lines(
    base: alt.Chart,
    x: alt.X,
    y: alt.Y,
    colour: alt.Color,
    tooltip: list[alt.Tooltip],
    null: str | None = None,
) -> alt.LayerChart:
    """A line per colour in the band from ``low`` to ``high``, and dashed the column that is its null."""
    drawn = [base.mark_area(opacity=0.15).encode(x, alt.Y("low:Q"), alt.Y2("high:Q"), colour)]
    if null is not None:
        dashed = base.mark_line(strokeDash=[4, 4], strokeWidth=1.2)
        drawn.append(dashed.encode(x, alt.Y(f"{null}:Q"), colour))
    return alt.layer(*drawn, base.mark_line(point=True).encode(x, y, colour, tooltip=tooltip))


def language_lines(
    base: alt.Chart, x: alt.X, y: alt.Y, languages: pd.Series, number: str = ".3f"
) -> alt.Chart:
    """A line per ``language``; the legend picks some out. ``languages`` holds their codes."""
    picked = alt.selection_point(fields=["language"], bind="legend")
    colours, value = theme.language_scale(languages.unique()), y.shorthand.removesuffix(":Q")
    x_field = x.shorthand.partition(":")[0]
    return (
        base.mark_line(point=alt.OverlayMarkDef(size=22))
        .encode(
            x,
            y,
            alt.Color("language:N", scale=colours, sort=None, legend=theme.language_legend()),
            opacity=alt.when(picked).then(alt.value(0.95)).otherwise(alt.value(0.12)),
            tooltip=tips("language", x_field, **{value: number}),
        )
        .add_params(picked)
    )


def silenced_beside_control(
    table: pd.DataFrame,
    shown: tuple[str, str],
    colour: Callable[[str], alt.Color],
    tooltip: list[alt.Tooltip],
    pale: str,
    *filters: str,
) -> alt.HConcatChart:
    """Maps of two columns, of a region and of random neurons, silenced region by language of the text.

    ``colour`` makes of a column's name what both maps are coloured by: one scale. Where a column ``above``
    is true, the region's square says the column ``number``.
    """
    own = table.region_language == table.text_language
    rows = with_names(table, "region_language", "text_language")
    for column in ("region_language", "text_language"):
        if table[column].nunique() > theme.MANY:
            largest = list(dict.fromkeys(theme.labels(table[column]).values()))[:LARGEST]
            rows[column] = rows[column].where(rows[column].isin(largest), "other families")
    if table.text_language.nunique() > theme.MANY:  # a region's own language would be lost in its family
        rows.loc[own, "text_language"] = "its own"
    keys = ["rule", "control_kind", "measure", "region_language", "text_language"]
    numbers = [name for name in rows.select_dtypes(["number", "bool"]) if name not in keys]
    rows = averaged(rows, keys, numbers)
    rows = rows.assign(above=rows.above > 0.5)  # of a family in most of its languages
    names = list(dict.fromkeys(rows.text_language))
    rules, rule = rule_choice(rows)

    x, y = square_axes(names, "text_language", "region_language", "language of the text", "region silenced")

    def panel(value: str, *marked: alt.Chart) -> alt.LayerChart:
        squares = chart_of(rows, rule, *filters).mark_rect(stroke=theme.RULE)
        tooltips = [*tips("rule", "region_language", "text_language"), *tooltip]
        squares = squares.encode(x, y, colour(value), tooltip=tooltips)
        return alt.layer(squares, *marked).properties(width=190, height=230)

    marked = chart_of(rows, rule, *filters, "datum.above").encode(x, y)
    numbers = in_squares(marked, "number", len(names), pale, width=190)
    region = panel(shown[0], numbers).properties(title="The region")
    random = panel(shown[1]).properties(title="Random neurons (mean of draws)")
    return fold((region | random).add_params(*rules))


def score_colour() -> alt.Color:
    """LRDS and SADS in their two colours."""
    colours = alt.Scale(domain=list(SCORES.values()), range=[theme.LANGUAGE_SCORE, theme.MEANING_SCORE])
    return alt.Color("score:N", title=None, scale=colours)


def series_colour(rows: pd.DataFrame, column: str, title: str | None = None) -> alt.Color:
    """A colour for each value of a column, in the order in which they come."""
    return alt.Color(
        f"{column}:N", title=title or column, scale=theme.series_scale(rows[column].unique()), sort=None
    )


def score_lines(base: alt.Chart, x: alt.X, colour: alt.Color, *names: str, **numbers: str) -> alt.LayerChart:
    """Lines of a score with their intervals, above the grey bands and dashed means of their nulls.

    Dotted is the ``limit``, where the rows have one, that all points of a curve stay below under the null.
    ``names`` and ``numbers`` are what the tooltips say besides.
    """
    y = alt.Y("value:Q", title="difference of mean cosines")
    trainings = ["training_seed:N"] if "training_seed" in base.data else []
    grey = {"detail": [colour.shorthand, *trainings]}
    dotted = base.mark_line(color=theme.BASELINE, strokeDash=[1, 3], strokeWidth=1.6)
    limit = [dotted.encode(x, alt.Y("limit:Q"), **grey)] if "limit" in base.data else []
    return alt.layer(
        base.mark_area(color=theme.BASELINE, opacity=0.25).encode(
            x, alt.Y("null_low:Q"), alt.Y2("null_high:Q"), **grey
        ),
        base.mark_line(color=theme.BASELINE, strokeDash=[4, 4], strokeWidth=1.2).encode(
            x, alt.Y("null:Q"), **grey
        ),
        *limit,
        lines(base, x, y, colour, score_tips(*names, **numbers)),
    )


def score_tips(*names: str, **numbers: str) -> list[alt.Tooltip]:
    """Tooltips of a score with its interval and its null."""
    return tips(*names, "score", **numbers, value=".3f", low=".3f", high=".3f", null=".3f")


def long_scores(similarity: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """One row per score: value, interval, null and, if the table has them, limits of LRDS and of SADS."""
    parts = ["", "_low", "_high", "_null", "_null_low", "_null_high"]
    need(similarity, [*keys, *(score + part for score in SCORES for part in parts)])
    names = [*keys, "value", *(part[1:] for part in parts[1:])]
    if "sads_null_limit" in similarity:
        parts, names = [*parts, "_null_limit"], [*names, "limit"]
    return pd.concat(
        similarity[[*keys, *(score + part for part in parts)]].set_axis(names, axis=1).assign(score=label)
        for score, label in SCORES.items()
    )


def mean_over_pairs(retrieval: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Mean accuracy over pairs of languages, its quartiles ``low`` and ``high``, and chance."""
    retrieval = retrieval[retrieval.target != OTHERS]  # the mean of all others is no language
    groups = retrieval.groupby(keys, sort=False)
    quartiles = groups.accuracy.quantile([0.25, 0.75]).unstack().set_axis(["low", "high"], axis=1)
    return groups.agg(accuracy=("accuracy", "mean"), chance=("chance", "first")).join(quartiles).reset_index()


@dataclass(frozen=True)
class SliderTable:
    """Values at many layers and checkpoints in few records: ``record["x_at"][layer][step]``.

    A long table of 10 languages × 40 sentences × 7 layers × 12 checkpoints would have 33,600 rows; here it
    has 400 records, and a slider only changes which element is read.
    """

    records: list[dict]
    layers: list[str]
    steps: list[int | None]

    @classmethod
    def pack(
        cls, table: pd.DataFrame, keys: Sequence[str], values: Sequence[str], decimals: int = 3
    ) -> "SliderTable":
        """Pack a long table with ``layer``, ``layer_index`` and perhaps ``step`` into one record per key.

        Raises ValueError when two rows have one key, layer and step, or when the keys are too many.
        """
        table = table.assign(step=cls.step_of(table))
        places = [*keys, "layer_index", "step"]
        if table.duplicated(places).any():
            raise ValueError(
                "several rows for one layer and step; a map shows one model and one kind at a time"
            )
        layers = table.drop_duplicates("layer_index").sort_values("layer_index")
        steps = sorted(table.step.unique())
        rows = pd.MultiIndex.from_frame(table[list(keys)].drop_duplicates())
        if len(rows) > MAX_ROWS:
            raise ValueError(f"{len(rows):,} records are too many for one chart (at most {MAX_ROWS:,})")
        columns = pd.MultiIndex.from_product([layers.layer_index, steps])
        records = rows.to_frame().to_dict("records")
        for value in values:
            wide = table.set_index(places)[value].unstack(["layer_index", "step"])
            array = wide.reindex(index=rows, columns=columns).to_numpy(dtype=float).round(decimals)
            array = np.where(np.isnan(array), None, array).reshape(len(rows), len(layers), len(steps))
            for record, numbers in zip(records, array.tolist(), strict=True):
                record[f"{value}_at"] = numbers
        return cls(
            records,
            [str(layer) for layer in layers.layer],
            [None if step == FINAL else int(step) for step in steps],
        )

    @staticmethod
    def step_of(table: pd.DataFrame) -> pd.Series:
        """The step of every row as an integer; a row without one is a final model and comes last."""
        if "step" not in table:
            return pd.Series(FINAL, index=table.index)
        return table.step.astype("Int64").fillna(FINAL).astype("int64")

    def chart(self) -> alt.Chart:
        """A chart over the records."""
        return alt.Chart(alt.Data(values=self.records))

    def pick(self, value: str) -> str:
        """Vega expression for a value at the chosen layer and checkpoint."""
        # The array has a name of its own: a calculated field of the same name would overwrite it.
        return f"datum.{value}_at[layer_at][step_at]"

    def state(self, name_layer: bool = True) -> str:
        """Vega expression of the chosen layer and step; empty where there is no choice of either."""
        steps = ["final" if step is None else f"step {step:,}" for step in self.steps]
        layers = ["all layers" if layer == "all" else layer_name(layer) for layer in self.layers]
        chosen = [f"{layers}[layer_at]"] if name_layer and len(layers) > 1 else []
        return " + ' · ' + ".join([*chosen, *([f"{steps}[step_at]"] if len(steps) > 1 else [])])

    def step_slider(self, step: int | None = None) -> list[alt.Parameter]:
        """The slider of steps, opening at one or at the last; a constant where there is no choice."""
        names = ["final" if known is None else f"{known:,}" for known in self.steps]
        steps = [FINAL if known is None else known for known in self.steps]
        return _slider("step_at", "step ", names, len(steps) - 1 if step is None else steps.index(step))

    def sliders(self, layer: str | None = None, step: int | None = None) -> list[alt.Parameter]:
        """The two sliders, of steps and of layers; constants where there is no choice.

        They open at a layer and at a step of the table (:meth:`step_of`), else at the first and at the last.
        """
        if layer is not None and layer not in self.layers:
            raise ValueError(f"no layer {layer!r}; there are {', '.join(self.layers)}")
        at = self.layers.index(layer) if layer is not None else 0
        return [*self.step_slider(step), *_slider("layer_at", "layer ", self.layers, at)]


def layer_name(label: str) -> str:
    """ "layer 3" or, of an encoder-decoder, "encoder layer 3"."""
    stack, _, number = label.rpartition(" ")
    return f"{stack} layer {number}".strip()


def _slider(name: str, label: str, places: Sequence[str], value: int) -> list[alt.Parameter]:
    """A slider that counts, and the names of its places, which the book's pages show and say instead."""
    if len(places) < 2:
        return [alt.param(name=name, value=value)]
    bind = alt.binding_range(min=0, max=len(places) - 1, step=1, name=label)
    return [alt.param(name=name, value=value, bind=bind), alt.param(name=f"{name}_names", value=list(places))]
