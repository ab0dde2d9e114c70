"""Chapter 07: does the model still choose the right ending?"""

import altair as alt
import numpy as np
import pandas as pd

from lingua_utils.charts import parts, theme, titles
from lingua_utils.charts.ablation import OTHERS, OWN, RANDOM


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
        alt.Title(titles.accuracy_by_language(accuracy), subtitle="lines: 95 % intervals · dashed: chance"),
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

    def panel(task: str, of_task: pd.DataFrame) -> alt.LayerChart:
        base = parts.chart_of(of_task.assign(percent=100 * of_task.accuracy)).encode(
            *parts.square_axes(names, "language", "source", "asked in", "told in"),
            tooltip=parts.tips("source", "language", accuracy=".0%", low=".0%", high=".0%", n_items=","),
        )
        squares = base.mark_rect().encode(parts.shade("accuracy", "right answers", "viridis", [0, 1], "%"))
        numbers = parts.in_squares(base, "percent", len(names), "datum.accuracy > 0.6", "#111111", width=190)
        chance = f"{task.capitalize()} (chance {of_task.chance.iloc[0]:.0%})"
        return (squares + numbers).properties(width=190, height=230, title=chance)

    panels = [panel(task, of_task) for task, of_task in rows.groupby("asked", sort=False)]
    return parts.finish(
        parts.fold(alt.hconcat(*panels)),
        alt.Title(titles.accuracy_by_direction(directions), subtitle="numbers: percent of right answers"),
        f"Heat maps of accuracy between {len(names)} languages: transfer of facts, and translation.",
    )


def accuracy_silenced(tasks: pd.DataFrame) -> alt.LayerChart:
    """Change in accuracy when each region is silenced: of its own language, of the others, and at random.

    Parameters
    ----------
    tasks : DataFrame
        The ``tasks`` table of one run: ``rule`` ("intact" and "random" among them), ``region_language``,
        ``text_language``, ``change``, ``change_low``, ``change_high``.
    """
    changes, languages = ["change", "change_low", "change_high"], ["region_language", "text_language"]
    parts.need(tasks, ["rule", *languages, *changes])
    own = tasks.region_language == tasks.text_language
    # Of several random regions the mean, with the mean of their intervals, beside the regions of each rule.
    random = (
        tasks[own & (tasks.rule == "random")].groupby(languages, sort=False)[changes].mean().reset_index()
    )
    regions = tasks[~tasks.rule.isin(["intact", "random"])]
    at_home = regions.region_language == regions.text_language
    rows = pd.concat(
        [
            regions.assign(asked_in=np.where(at_home, OWN, OTHERS)),
            *(random.assign(asked_in=RANDOM, rule=rule) for rule in regions.rule.unique()),
        ]
    )
    rows = parts.with_names(rows[["rule", *languages, "asked_in", *changes]], *languages)
    rows = parts.averaged(rows, ["rule", *languages, "asked_in"], changes)
    rules, rule = parts.rule_choice(rows)
    reach = max(0.1, float(rows[changes].abs().max().max()))
    names = list(dict.fromkeys(rows.region_language))
    kinds = [OWN, OTHERS, RANDOM]
    colours = [theme.LANGUAGE_SCORE, theme.MEANING_SCORE, theme.BASELINE]
    base = parts.chart_of(rows, rule).encode(
        alt.Y("region_language:N", title="region silenced", sort=names),
        parts.share_axis(alt.X, "change", "change in accuracy", domain=[-reach, reach]),
        alt.Color("asked_in:N", title="questions in", scale=alt.Scale(domain=kinds, range=colours)),
        alt.YOffset("asked_in:N", sort=kinds),
        tooltip=parts.tips(*languages, "asked_in", **dict.fromkeys(changes, "+.1%")),
    )
    of_others = f"datum.asked_in == '{OTHERS}'"
    return parts.finish(
        alt.layer(
            parts.zero(parts.chart_of(rows), "x"),
            base.transform_filter(of_others).mark_tick(thickness=1.5, height=9, opacity=0.6),
            base.transform_filter(f"!({of_others})")
            .mark_rule(strokeWidth=2)
            .encode(alt.X("change_low:Q"), alt.X2("change_high:Q")),
            base.transform_filter(f"!({of_others})").mark_point(size=45, opacity=1),
        ).properties(width="container", height=30 * len(names)),
        alt.Title(
            titles.accuracy_silenced(tasks),
            subtitle="lines: 95 % intervals · ticks: each of the other languages · dashed: no change",
        ),
        "Change in accuracy of each language when its region is silenced, of the others, and at random.",
        *rules,
    )
