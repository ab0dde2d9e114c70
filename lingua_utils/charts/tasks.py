"""Chapter 07: does the model still choose the right ending?"""

import altair as alt
import pandas as pd

from lingua_utils.charts import parts, theme


def accuracy_by_language(accuracy: pd.DataFrame) -> alt.LayerChart:
    """Zero-shot accuracy of the intact model in every language, with intervals and chance; a list of tasks.

    Parameters
    ----------
    accuracy : DataFrame
        The ``accuracy`` table of one run: ``asked``, ``language``, ``accuracy``, ``low``, ``high``,
        ``n_items``, ``chance``.
    """
    parts.need(accuracy, ["asked", "language", "accuracy", "low", "high", "n_items", "chance"])
    tasks = list(dict.fromkeys(accuracy.asked))
    lists, task = parts.choice(
        "asked", tasks, first="transfer" if "transfer" in tasks else tasks[0], label="task"
    )
    rows = parts.with_names(accuracy, "language")
    rows = parts.averaged(
        rows, ["asked", "task", "language"], ["accuracy", "low", "high", "n_items", "chance"]
    )
    base = parts.chart_of(rows, task).encode(
        alt.X("language:N", title=None, sort=None, axis=alt.Axis(labelAngle=-30))
    )
    bars = base.mark_bar(opacity=0.75).encode(
        parts.share_axis(alt.Y, "accuracy", "accuracy", domain=[0, 1]),
        alt.Color("language:N", scale=theme.language_scale(accuracy.language.unique()), legend=None),
        tooltip=parts.tips(
            "task", "language", accuracy=".1%", low=".1%", high=".1%", n_items=",", chance=".0%"
        ),
    )
    spread = base.mark_rule(strokeWidth=2, color=theme.INK).encode(alt.Y("low:Q"), alt.Y2("high:Q"))
    chance = base.mark_line(strokeDash=[4, 4], color=theme.INK).encode(alt.Y("chance:Q"))
    return parts.finish(
        (bars + spread + chance).properties(width="container", height=260),
        alt.Title("Choosing the right ending", subtitle="lines: 95 % intervals · dashed: chance"),
        f"Zero-shot accuracy in {accuracy.language.nunique()} languages, with 95 % intervals and chance.",
        *lists,
    )


def accuracy_by_direction(directions: pd.DataFrame) -> alt.HConcatChart:
    """Accuracy of transfer and of translation from each language into each other, as two maps.

    Parameters
    ----------
    directions : DataFrame
        The ``directions`` table of one run: ``asked``, ``source``, ``language``, ``accuracy``, ``low``,
        ``high``, ``n_items``, ``chance``.
    """
    parts.need(directions, ["asked", "source", "language", "accuracy", "low", "high", "n_items", "chance"])
    rows = parts.with_names(
        directions[directions.asked.isin(["transfer", "translation"])], "source", "language"
    )
    numbers = ["accuracy", "low", "high", "n_items", "chance"]
    rows = parts.averaged(rows, ["asked", "source", "language"], numbers)
    names = list(dict.fromkeys(rows.language))
    panels = [
        parts.chart_of(of_task)
        .mark_rect()
        .encode(
            *parts.square_axes(names, "language", "source", "asked in", "told in"),
            parts.shade("accuracy", "accuracy", "viridis", [0, 1]),
            parts.tips("source", "language", accuracy=".0%", low=".0%", high=".0%", n_items=","),
        )
        .properties(width=200, height=200, title=f"{task.capitalize()} (chance {of_task.chance.iloc[0]:.0%})")
        for task, of_task in rows.groupby("asked", sort=False)
    ]
    return parts.finish(
        parts.fold(alt.hconcat(*panels)),
        "From language to language",
        f"Heat maps of accuracy between {len(names)} languages: transfer of facts, and translation.",
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
