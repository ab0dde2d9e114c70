"""Chapter 02: what the lab's models learn."""

import altair as alt
import pandas as pd

from lingua_utils.charts import parts, titles


def loss_by_language(
    losses: pd.DataFrame, measure: str = "bits_per_byte", chance: float | None = None
) -> alt.LayerChart:
    """Loss on held-out text against the training step, one line per language.

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
    parts.need(losses, ["step", "language", measure])
    rows = parts.with_names(losses[["step", "language", measure]], "language")
    rows = parts.averaged(rows, ["step", "language"], [measure])
    y = alt.Y(f"{measure}:Q", title=units[measure])
    layers = [parts.language_lines(parts.chart_of(rows), parts.step_axis(rows.step), y, losses.language)]
    if chance is not None:
        layers.append(parts.level(chance, f"uniform guess: {chance:.2f}"))
    return parts.finish(
        alt.layer(*layers).properties(width="container", height=parts.HEIGHT),
        titles.loss_by_language(losses, measure, units[measure]),
        f"{units[measure]} of held-out text in {rows.language.nunique()} languages against training step.",
    )
