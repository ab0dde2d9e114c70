"""Chapter 10: how far does the lingua franca reach?

The tables have one row for each language, with ``language`` (its code), ``name``, ``family``, and how often
its paragraphs find their translations: ``found`` with its interval ``low`` to ``high``, ``twin`` of the
untrained model, and whether the one is ``above`` the other.
"""

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import altair as alt
import pandas as pd

from lingua_utils.charts import parts, theme, titles

FEW = 5  # languages that make a family a group of its own
OTHERS = "other families"
_FOUND = {"found": ".0%", "twin": ".0%"}
_GREY = "grey: not above the untrained model"


def family_groups(families: pd.Series) -> pd.Series:
    """Families as groups: those of at least five languages, and all others as one.

    Parameters
    ----------
    families : Series
        The family of each language, one row a language.

    Returns
    -------
    Series
        Categories in the order of their size, the others last.
    """
    sizes = families.value_counts()
    large = [family for family in sizes.index if sizes[family] >= FEW]
    grouped = families.where(families.isin(large), OTHERS)
    return grouped.astype(pd.CategoricalDtype([*large, OTHERS], ordered=True)).cat.remove_unused_categories()


def _family_colour(groups: pd.Series, **settings) -> alt.Color:
    """A colour for each group of families, the largest first."""
    colours = theme.family_colours(groups.cat.categories) | {OTHERS: theme.BASELINE}
    present = list(groups.cat.categories)
    scale = alt.Scale(domain=present, range=[colours[group] for group in present])
    return alt.Color("group:N", title="family", scale=scale, sort=None, **settings)


def _land() -> alt.Chart:
    """The outline of the land, after Natural Earth; only the degrees where the package with it is missing."""
    package = find_spec("bqplot")  # read, not imported: only its map is wanted
    if package is None:
        return alt.Chart(alt.graticule(step=[30, 30])).mark_geoshape(filled=False, stroke=theme.RULE)
    path = Path(package.origin).parent / "map_data" / "WorldMap.json"
    world = json.loads(path.read_text(encoding="utf-8"))
    world["objects"] = {"land": world["objects"]["land"]}
    # As text, which Altair does not copy and check number by number.
    outline = alt.InlineData(
        values=json.dumps(world), format=alt.TopoDataFormat(feature="land", type="topojson")
    )
    return alt.Chart(outline).mark_geoshape(fill=theme.RULE, stroke=None)


def world_map(reach: pd.DataFrame, layer: str, text: str) -> alt.LayerChart:
    """A dot for each language at its place, coloured by how often translations are found; a slider of layers.

    Parameters
    ----------
    reach : DataFrame
        One model: ``language``, ``name``, ``family``, ``latitude``, ``longitude``, ``layer``,
        ``layer_index``, ``found``, ``twin``, ``above``. Languages without a place are left out.
    layer : str
        Which layer to open with.
    text : str
        The model's name, for the title.
    """
    keys = ["language", "name", "family", "latitude", "longitude"]
    values = ["found", "twin", "above"]
    parts.need(reach, [*keys, "layer", "layer_index", *values])
    placed = reach[reach.latitude.notna()]
    # What is found most often lies on top where dots are close.
    best = placed.groupby("language").found.transform("max")
    packed = parts.SliderTable.pack(placed.iloc[best.argsort(kind="stable")], keys, values, decimals=2)
    base = alt.Chart().transform_calculate(**{value: packed.pick(value) for value in values})
    dot = base.encode(
        longitude="longitude:Q", latitude="latitude:Q", tooltip=parts.tips("name", "family", **_FOUND)
    )
    lit = dot.transform_filter("datum.above == 1").mark_circle(
        size=42, opacity=1, stroke=theme.BASELINE, strokeWidth=0.6
    )
    drawn = alt.layer(
        _land(),
        dot.transform_filter("datum.above != 1").mark_circle(size=18, opacity=0.8, color=theme.BASELINE),
        lit.encode(parts.shade("found", "translations found", "viridis", [0, 1], "%")),
        data=alt.Data(values=packed.records),
    ).project("equalEarth")
    return parts.finish(
        parts.as_high_as(drawn, "width / 2"),  # as the world is
        alt.Title(titles.world_map(reach, layer, text), subtitle=_GREY),
        f"World map with a dot for each of {placed.language.nunique()} languages, coloured by the share of "
        "its paragraphs that find their English translations in the chosen layer.",
        *packed.sliders(layer),
        state=packed.state(),
    )


def strip(reach: pd.DataFrame, text: str) -> alt.Chart:
    """Families by layers as a heat map, or languages by layers; a box searches for some of them.

    Parameters
    ----------
    reach : DataFrame
        One model: ``language``, ``layer``, ``layer_index``, ``found``, ``twin``.
    text : str
        The model's name, for the title.
    """
    values = list(_FOUND)
    parts.need(reach, ["language", "layer", "layer_index", *values])
    colour = parts.shade("found", "translations found", "viridis", [0, 1], "%")
    drawn, packed, asked = parts.language_strips(reach, [], values, colour, parts.tips(**_FOUND))
    return parts.finish(
        drawn,
        titles.strip(reach, text),
        f"Heat map of {reach.language.nunique()} languages, or their families, by "
        f"{len(packed.layers)} layers: share of paragraphs that find their English translations.",
        *packed.step_slider(),
        *asked,
        state=packed.state(name_layer=False),
    )


def language_by_language(reach: pd.DataFrame) -> alt.LayerChart:
    """What every language of a chosen family finds, with interval and the untrained twin's value.

    Parameters
    ----------
    reach : DataFrame
        One layer of each model: ``model``, ``language``, ``name``, ``family``, ``found``, ``low``, ``high``,
        ``twin``.
    """
    columns = ["model", "name", "family", "found", "low", "high", "twin"]
    parts.need(reach, [*columns, "language"])
    group = family_groups(reach.drop_duplicates("language").set_index("language").family)
    rows = reach.assign(group=reach.language.map(group).astype(str))
    most = rows.groupby("language").found.transform("max")
    rows = rows.iloc[most.argsort(kind="stable")[::-1]][[*columns, "group"]]
    families, chosen = parts.choice("group", list(group.cat.categories), label="family")
    sizes = group.value_counts()
    high = f"{sizes.to_dict()}[chosen_group]" if families else str(sizes.iloc[0])
    tooltip = parts.tips("name", "family", "model", **_FOUND, low=".0%", high=".0%")
    base = parts.chart_of(rows, chosen).encode(
        alt.Y("name:N", title=None, sort=None, axis=alt.Axis(labelLimit=150)),
        alt.YOffset("model:N", sort=None),
    )
    colour = parts.series_colour(rows.iloc[rows.model.argsort(kind="stable")], "model")
    drawn = alt.layer(
        base.mark_rule(strokeWidth=2, opacity=0.6).encode(alt.X("low:Q"), alt.X2("high:Q"), colour),
        base.mark_tick(color=theme.UNTRAINED, thickness=2, height=9).encode(alt.X("twin:Q")),
        base.mark_circle(size=45, opacity=1).encode(
            parts.share_axis(alt.X, "found", "translations found", domain=[0, 1]), colour, tooltip=tooltip
        ),
    )
    return parts.finish(
        parts.as_high_as(drawn, f"18 * {high}"),
        alt.Title(
            titles.language_by_language(reach),
            subtitle="lines: 95 % intervals over paragraphs · ticks: untrained model",
        ),
        f"Share of paragraphs that find their English translations in {group.size} languages, with intervals "
        "and the untrained model's value, for a chosen family.",
        *families,
    )


def odds(fits: pd.DataFrame) -> alt.FacetChart:
    """Odds ratios of what goes with a language's reach, with intervals; a panel for each model.

    Parameters
    ----------
    fits : DataFrame
        ``model``, ``fit`` (which factors stand together), ``term``, ``ratio``, ``low``, ``high``,
        ``n_languages``.
    """
    parts.need(fits, ["model", "fit", "term", "ratio", "low", "high", "n_languages"])
    y = alt.Y("term:N", title=None, sort=None, axis=alt.Axis(labelLimit=130))
    plain = parts.chart_of(fits)
    base = plain.encode(y, alt.YOffset("fit:N", sort=None))
    colour = parts.series_colour(fits, "fit", "factors")
    scale = alt.Scale(type="log", nice=False, padding=12)
    axis = alt.Axis(tickCount=5, format="~g", labelOverlap=True)
    drawn = alt.layer(
        plain.mark_rule(color=theme.BASELINE, strokeDash=[5, 4]).encode(x=alt.datum(1)),
        base.mark_rule(strokeWidth=2).encode(alt.X("low:Q"), alt.X2("high:Q"), colour),
        base.mark_circle(size=55, opacity=1).encode(
            alt.X("ratio:Q", title="odds ratio (log scale)", scale=scale, axis=axis),
            colour,
            tooltip=parts.tips("model", "term", "fit", ratio=".2f", low=".2f", high=".2f", n_languages=","),
        ),
    )
    return parts.finish(
        parts.fold(
            drawn.properties(width=160, height=150).facet(alt.Facet("model:N", title=None), columns=2)
        ),
        alt.Title(titles.odds(fits), subtitle="lines: 95 % intervals · dashed: no effect"),
        "Odds ratios, with intervals, of finding a translation: for tokens, speakers and script.",
    )


def against(rows: pd.DataFrame, x: str, y: str, x_title: str, y_title: str, text: str) -> alt.LayerChart:
    """Two shares of each language against each other, coloured by family, with the line where they are equal.

    Parameters
    ----------
    rows : DataFrame
        One row a language: ``name``, ``family``, and the two columns of shares.
    x, y, x_title, y_title : str
        Columns and their titles.
    text : str
        The model's name, for the title.
    """
    parts.need(rows, ["name", "family", x, y])
    groups = family_groups(rows.family)
    shown = rows[["name", "family", x, y]].assign(group=groups.astype(str))
    picked = alt.selection_point(fields=["group"], bind="legend")
    ends = alt.Chart(alt.Data(values=[{"at": 0}, {"at": 1}]))
    dots = parts.chart_of(shown).mark_circle(size=40)
    drawn = alt.layer(
        ends.mark_line(color=theme.BASELINE, strokeDash=[5, 4], strokeWidth=1.2).encode(
            parts.share_axis(alt.X, "at", x_title, domain=[0, 1]),
            parts.share_axis(alt.Y, "at", y_title, domain=[0, 1]),
        ),
        dots.encode(
            alt.X(f"{x}:Q"),
            alt.Y(f"{y}:Q"),
            _family_colour(groups),
            opacity=alt.when(picked).then(alt.value(0.9)).otherwise(alt.value(0.08)),
            tooltip=parts.tips("name", "family", **{x: ".0%", y: ".0%"}),
        ).add_params(picked),
    )
    return parts.finish(
        drawn.properties(width="container", height=parts.HEIGHT),
        alt.Title(titles.against(rows, x, y, (x_title, y_title), text), subtitle="dashed: both are equal"),
        f"{y_title} against {x_title} in {len(shown)} languages, coloured by family.",
    )


def differences(families: pd.DataFrame, models: Sequence[str]) -> alt.LayerChart:
    """By how much one model finds more than another, family by family, with intervals over languages.

    Parameters
    ----------
    families : DataFrame
        ``family``, ``n_languages``, ``difference``, ``low``, ``high``; the last two missing where a family
        has a single language.
    models : sequence of two str
        Names of the model, and of the one taken from it.
    """
    parts.need(families, ["family", "n_languages", "difference", "low", "high"])
    rows = families.assign(
        label=[f"{f} ({n})" for f, n in zip(families.family, families.n_languages, strict=True)]
    )
    base = parts.chart_of(rows).encode(alt.Y("label:N", title=None, sort=None, axis=alt.Axis(labelLimit=130)))
    x = parts.share_axis(alt.X, "difference", f"{models[0]} minus {models[1]}")
    colours = theme.family_colours(rows.family)
    colour = alt.Color(
        "family:N", scale=alt.Scale(domain=list(colours), range=list(colours.values())), legend=None
    )
    drawn = alt.layer(
        parts.zero(parts.chart_of(rows), "x"),
        base.mark_rule(strokeWidth=2).encode(alt.X("low:Q"), alt.X2("high:Q"), colour),
        base.mark_circle(size=55, opacity=1).encode(
            x,
            colour,
            tooltip=parts.tips("family", n_languages=",", difference="+.0%", low="+.0%", high="+.0%"),
        ),
    )
    return parts.finish(
        drawn.properties(width="container", height=16 * len(rows)),
        alt.Title(
            titles.differences(families, models), subtitle="lines: 95 % intervals over a family's languages"
        ),
        f"Difference in the share of translations found between {models[0]} and {models[1]} in "
        f"{len(rows)} families.",
    )
