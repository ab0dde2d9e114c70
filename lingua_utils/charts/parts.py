"""What the charts are made of: checks, axes, choices, and many views packed into one small table."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd

from lingua_utils.charts import theme

MAX_ROWS = 5_000
FINAL = 2**62
STACKS = ("encoder", "decoder")
PANEL = 290  # width of a chart of one stack, of which two stand side by side


def need(table: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raise ValueError when a table lacks a column or has no rows."""
    missing = [column for column in columns if column not in table]
    if missing:
        raise ValueError(
            f"the table has no column {missing[0]!r}; it has {', '.join(map(str, table.columns))}"
        )
    if table.empty:
        raise ValueError("the table has no rows, so there is nothing to draw")


def with_steps(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Rows that have a training step, with plain integer steps and a short ``model`` name."""
    need(table, ["model_id", "step", *columns])
    table = table[table.step.notna()]
    if table.empty:
        raise ValueError("no row has a training step; revisions such as 'main' have none")
    return table.assign(
        step=table.step.astype(int), model=table.model_id.str.removeprefix("lab/")
    ).sort_values("step", kind="stable")


def check_rows(rows: pd.DataFrame) -> None:
    """Raise ValueError when a table would not fit a chart."""
    if len(rows) > MAX_ROWS:
        raise ValueError(
            f"{len(rows):,} rows are too many for one chart (at most {MAX_ROWS:,}); select fewer runs"
        )


def finish(chart: alt.TopLevelMixin, description: str) -> alt.TopLevelMixin:
    """The chart with its description for screen readers."""
    return chart.properties(description=description)


def step_axis(steps: pd.Series) -> alt.X:
    """A logarithmic step axis that has room for step 0, with a tick at every checkpoint."""
    values = sorted({int(step) for step in steps})
    first = next((step for step in values if step > 0), 1)
    return alt.X(
        "step:Q",
        title="training step (log scale)",
        scale=alt.Scale(type="symlog", constant=first, nice=False),
        axis=alt.Axis(values=values, format=",d", labelOverlap="greedy", grid=False),
    )


def choice(
    name: str, options: Sequence[str], first: str | None = None, label: str | None = None
) -> tuple[list[alt.Parameter], str]:
    """A drop-down list and the filter that goes with it; no list where there is nothing to choose."""
    options = list(options)
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


def step_slider(table: pd.DataFrame, text: str) -> tuple[list[alt.Parameter], str, alt.Title]:
    """A slider over a table's checkpoints, the filter that goes with it, and a title that names the step."""
    steps = sorted(int(step) for step in table.step.dropna().unique()) if "step" in table else []
    if len(steps) < 2:
        return [], "true", alt.Title(text)
    named_steps = [f" · step {step:,}" for step in steps]
    title = alt.Title(text=alt.expr(f"{text!r} + {named_steps}[step_at]"))
    slider = _slider("step_at", "step ", len(steps), len(steps) - 1)
    return [slider], f"datum.step == {steps}[step_at]", title


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


def by_stack(chart: alt.Chart | alt.LayerChart, rows: pd.DataFrame, **size) -> alt.TopLevelMixin:
    """A chart as wide as the page; of an encoder-decoder a panel for each stack, the encoder's first."""
    if not paired(rows):
        return chart.properties(width="container", **size)
    return chart.properties(width=PANEL, **size).facet(stack_panels(), columns=2)


def stack_panels(channel: type = alt.Facet, last_first: bool = False) -> alt.Facet | alt.Row | alt.Column:
    """What gives each stack a panel of its own; the last one first where layers are drawn upwards."""
    return channel("stack:N", title=None, sort=list(STACKS[:: -1 if last_first else 1]))


def layer_axis(layers: Sequence[str], field: str = "layer") -> alt.X:
    """Layers from the first to the last; where there are many, not every one is named."""
    axis = alt.Axis(labelAngle=0, labelOverlap=True)
    return alt.X(f"{field}:N", title="layer", sort=list(dict.fromkeys(layers)), axis=axis)


def rule(value: float, label: str) -> alt.LayerChart:
    """A dashed horizontal line, named at its right end: a null, a chance level."""
    base = alt.Chart(alt.Data(values=[{"value": value, "label": label}])).encode(alt.Y("value:Q"))
    line = base.mark_rule(strokeDash=[5, 4], color=theme.BASELINE)
    return line + base.mark_text(align="right", dy=-7, color=theme.INK).encode(
        x=alt.value("width"), text="label:N"
    )


def named(column: str, languages: Sequence[str]) -> str:
    """Vega expression for the English name of the language in a column."""
    names = {code: theme.language_name(code) for code in languages}
    return f"{names}[datum.{column}]"


def intervals(base: alt.Chart, x: alt.X, colour: alt.Color, keys: Sequence[str]) -> alt.LayerChart:
    """A line of ``value`` with its interval, above the grey band and dashed mean of its null."""
    title = "difference of mean cosines"
    tooltip = [
        *(alt.Tooltip(f"{key}:N") if key != "step" else alt.Tooltip("step:Q", format=",") for key in keys),
        alt.Tooltip("score:N"),
        *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("value", "low", "high", "null")),
    ]
    return alt.layer(
        base.mark_area(color=theme.BASELINE, opacity=0.25).encode(
            x, alt.Y("null_low:Q", title=title), alt.Y2("null_high:Q"), detail=colour.shorthand
        ),
        base.mark_line(color=theme.BASELINE, strokeDash=[4, 4], strokeWidth=1.2).encode(
            x, alt.Y("null:Q"), detail=colour.shorthand
        ),
        base.mark_area(opacity=0.2).encode(x, alt.Y("low:Q"), alt.Y2("high:Q"), colour),
        base.mark_line(point=True).encode(x, alt.Y("value:Q"), colour, tooltip=tooltip),
    )


@dataclass(frozen=True)
class Frames:
    """Values at many layers and checkpoints, one record a mark: ``record["x_at"][layer][step]``.

    A long table of 10 languages × 40 sentences × 7 layers × 12 checkpoints would have 33,600 rows; as frames
    it has 400, and a slider only changes which element is read.
    """

    records: list[dict]
    layers: list[str]
    steps: list[int | None]

    @classmethod
    def of(
        cls, table: pd.DataFrame, keys: Sequence[str], values: Sequence[str], decimals: int = 3
    ) -> "Frames":
        """Pack a long table with ``layer``, ``layer_index`` and perhaps ``step`` into one record a key."""
        if table.groupby([*keys, "layer_index", cls.step_of(table)], dropna=False).size().max() > 1:
            raise ValueError(
                "several rows for one layer and step; a map shows one model and one kind at a time"
            )
        layers = table.drop_duplicates("layer_index").sort_values("layer_index")
        marks = pd.MultiIndex.from_frame(table[list(keys)].drop_duplicates())
        steps = sorted(cls.step_of(table).unique())
        frames = pd.MultiIndex.from_product([layers.layer_index, steps])
        packed = {}
        indexed = table.set_index([*keys, table.layer_index, cls.step_of(table).rename("frame")])[
            list(values)
        ]
        for value in values:
            wide = indexed[value].unstack(["layer_index", "frame"]).reindex(index=marks, columns=frames)
            array = wide.to_numpy(dtype=float).reshape(len(marks), len(layers), len(steps)).round(decimals)
            packed[value] = np.where(np.isnan(array), None, array).tolist()
        if len(marks) > MAX_ROWS:
            raise ValueError(f"{len(marks):,} marks are too many for one chart (at most {MAX_ROWS:,})")
        records = [
            dict(zip(keys, mark, strict=True)) | {f"{value}_at": packed[value][number] for value in values}
            for number, mark in enumerate(marks.to_frame().to_dict("split")["data"])
        ]
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

    def title(self, text: str, name_layer: bool = True) -> alt.Title:
        """A title that names the chosen layer and step, which the sliders only count."""
        final = " · final" if len(self.steps) > 1 else ""
        steps = [final if step is None else f" · step {step:,}" for step in self.steps]
        if not name_layer:
            return alt.Title(text=alt.expr(f"{text!r} + {steps}[step_at]"))
        names = ["all layers" if layer == "all" else _layer_name(layer) for layer in self.layers]
        return alt.Title(text=alt.expr(f"{text + ' · '!r} + {names}[layer_at] + {steps}[step_at]"))

    def sliders(self, layer: str | None = None) -> list[alt.Parameter]:
        """The two parameters: sliders where there is a choice, constants where there is none."""
        if layer is not None and layer not in self.layers:
            raise ValueError(f"no layer {layer!r}; there are {', '.join(self.layers)}")
        at = self.layers.index(layer) if layer is not None else 0
        return [
            _slider("step_at", "step ", len(self.steps), len(self.steps) - 1),
            _slider("layer_at", "layer ", len(self.layers), at),
        ]


def _layer_name(label: str) -> str:
    """ "layer 3" or, of an encoder-decoder, "encoder layer 3"."""
    stack, _, number = label.rpartition(" ")
    return f"{stack} layer {number}".strip()


def _slider(name: str, label: str, count: int, value: int) -> alt.Parameter:
    if count < 2:
        return alt.param(name=name, value=value)
    return alt.param(name=name, value=value, bind=alt.binding_range(min=0, max=count - 1, step=1, name=label))
