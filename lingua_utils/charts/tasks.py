"""Chapter 07: does the model still choose the right ending?"""

import altair as alt
import pandas as pd

from lingua_utils.charts import parts, theme


def accuracy_by_language(accuracy: pd.DataFrame) -> alt.LayerChart:
    """Zero-shot accuracy of the intact model in every language, with intervals and chance.

    Parameters
    ----------
    accuracy : DataFrame
        The ``accuracy`` table of one run: ``language``, ``accuracy``, ``low``, ``high``, ``n_items``,
        ``chance``.
    """
    parts.need(accuracy, ["language", "accuracy", "low", "high", "n_items", "chance"])
    base = parts.chart_of(parts.with_names(accuracy, "language")).encode(
        alt.X("language:N", title=None, sort=None, axis=alt.Axis(labelAngle=-30))
    )
    bars = base.mark_bar(opacity=0.75).encode(
        parts.share_axis(alt.Y, "accuracy", "accuracy", domain=[0, 1]),
        alt.Color("language:N", scale=theme.language_scale(accuracy.language.unique()), legend=None),
        tooltip=parts.tips("language", accuracy=".1%", low=".1%", high=".1%", n_items=","),
    )
    spread = base.mark_rule(strokeWidth=2, color=theme.INK).encode(alt.Y("low:Q"), alt.Y2("high:Q"))
    chance = float(accuracy.chance.iloc[0])
    return parts.finish(
        (bars + spread + parts.level(chance)).properties(width="container", height=260),
        alt.Title(
            "Choosing the right ending", subtitle=f"lines: 95 % intervals · dashed, chance: {chance:.0%}"
        ),
        f"Zero-shot accuracy in {len(accuracy)} languages, with 95 % intervals and chance.",
    )


def accuracy_silenced(tasks: pd.DataFrame) -> alt.HConcatChart:
    """Change in accuracy of every language when each region is silenced; random regions beside it.

    Parameters
    ----------
    tasks : DataFrame
        The ``tasks`` table of one run: ``rule`` ("intact" and "random" among them), ``region_language``,
        ``text_language``, ``change``, ``change_low``, ``change_high``.
    """
    changes, languages = ["change", "change_low", "change_high"], ["region_language", "text_language"]
    parts.need(tasks, ["rule", *languages, *changes])
    silenced = tasks[~tasks.rule.isin(["intact", "random"])]
    random = tasks[tasks.rule == "random"].groupby(languages).change.mean().rename("control_mean")
    rows = silenced[["rule", *languages, *changes]].join(random, on=languages)
    tooltip = parts.tips(**dict.fromkeys([*changes, "control_mean"], "+.1%"))
    shown = ("change", "control_mean")
    colour = parts.change_colour(rows, shown, "change in accuracy", "+.0%", worse=-1)
    return parts.finish(
        parts.silenced_beside_control(rows, shown, colour, tooltip),
        "What silencing a region does to accuracy",
        "Change in accuracy of each language when each region is silenced, and at random.",
    )
