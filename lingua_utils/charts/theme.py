"""How every chart of the book looks: one registered Altair theme, and one colour per language everywhere."""

import colorsys
import html
import json
import zlib
from collections import Counter
from collections.abc import Iterable
from functools import cache

import altair as alt

from lingua_utils.text.languages import LANGUAGES, Language, get_language

# The page's own font stack, so that a chart reads like the text around it.
FONT = '-apple-system, "Segoe UI", "Noto Sans", "Helvetica Neue", Arial, sans-serif'

# Greys that can be read on white and on the dark theme's near-black: contrast above 4 : 1 on both for INK.
# In the book, book.css replaces INK by the page's own text colour.
INK = "#7a7a7a"
RULE = "#80808040"
BASELINE = "#808080"

# The two scores of the argument and the shares of variance keep their colours on every page.
LANGUAGE_SCORE, MEANING_SCORE, REST = "#c2571a", "#2f7fc1", "#8c8c8c"
# Of the same network before it has learned anything, as the baseline beside that of shuffling.
UNTRAINED = "#8a7a20"

# Models, rules and groups of sentences in the order in which they come; after six the hues go round.
_SERIES = ["#2f7fc1", "#c2571a", "#2e8b57", "#8e5bb5", "#8a7a20", "#c0398b"]
# The rules of the book, in the order in which they are shown.
RULES = {
    "distinctive": "#c0398b",
    "calibrated": "#2f7fc1",
    "zscore": "#c2571a",
    "lape": "#2e8b57",
    "ap": "#8e5bb5",
}

# Languages that a chart shows one by one; more are shown by family.
MANY = 30

# Until the window is wide enough, one legend entry per row; static images have no window.
_LEGEND_COLUMNS = "(containerSize()[0] || 700) > 500 ? {} : {}"

# The default ten: every pair stays apart under normal, deuteranopic and protanopic sight, and every colour
# has a contrast of at least 3 : 1 on white and 3.8 : 1 on #121212. Found by a search under those constraints.
_DEFAULT_COLOURS = {
    "eng_Latn": "#6e65c6",
    "zho_Hans": "#ff5e1c",
    "zho_Hant": "#ff5292",
    "fra_Latn": "#9042fc",
    "spa_Latn": "#139ec1",
    "por_Latn": "#638cf2",
    "arb_Arab": "#5b795b",
    "vie_Latn": "#1aa403",
    "hin_Deva": "#af4d96",
    "ind_Latn": "#2a9e76",
}
# Of the families with the most languages in the Declaration of Human Rights, by a search under the same
# constraints.
_FAMILY_COLOURS = {
    "Indo-European": "#0fa3b6",
    "Atlantic-Congo": "#f40306",
    "Austronesian": "#318222",
    "Turkic": "#e50077",
    "Sino-Tibetan": "#738ef3",
    "Afro-Asiatic": "#7265c0",
    "Uralic": "#8e40ff",
    "Quechuan": "#2f7c85",
    "unknown": BASELINE,
}
GOLDEN = 0.6180339887498949
_POSITIONS = {code: position for position, code in enumerate(sorted(LANGUAGES))}


def language_colours(languages: Iterable[str]) -> dict[str, str]:
    """One colour per language code, the same whatever other languages are asked for.

    Parameters
    ----------
    languages : iterable of str
        FLORES codes, or any other names of languages (invented ones, say).

    Returns
    -------
    dict
        Code to hex colour, in the order given. The default ten have chosen colours; any other language has
        one on a golden-angle walk around the hues, at a lightness that can be read on white and on black.

    Examples
    --------
    >>> language_colours(["fra_Latn"])
    {'fra_Latn': '#9042fc'}
    """
    return {code: _DEFAULT_COLOURS.get(code) or _walk(code) for code in languages}


def family_colours(families: Iterable[str]) -> dict[str, str]:
    """One colour per language family, the same whatever other families are asked for.

    Parameters
    ----------
    families : iterable of str
        Names after Glottolog, as :attr:`lingua_utils.text.languages.Language.family` has them; any other
        name gets a colour too.

    Returns
    -------
    dict
        Family to hex colour, each family once, in the order given. The largest ones have chosen colours; any
        other has a dull one that its name decides, so that of many small families some look alike.

    Examples
    --------
    >>> family_colours(["Turkic", "unknown", "Turkic"])
    {'Turkic': '#e50077', 'unknown': '#808080'}
    """
    return {
        family: _FAMILY_COLOURS.get(family) or hue_colour(zlib.crc32(family.encode()) / 2**32, saturation=0.3)
        for family in families
    }


def _walk(code: str) -> str:
    position = _POSITIONS.get(code, zlib.crc32(code.encode()))
    return hue_colour(position * GOLDEN, saturation=0.5 + 0.3 * (position % 2))


def hue_colour(turn: float, saturation: float = 0.65) -> str:
    """Hex colour of a hue in turns, darkened or lightened until its relative luminance is 0.2.

    That luminance has a contrast of about 4.2 : 1 on white and 4.5 : 1 on #121212.
    """
    low, high = 0.0, 1.0
    for _ in range(12):
        lightness = (low + high) / 2
        rgb = colorsys.hls_to_rgb(turn % 1.0, lightness, saturation)
        low, high = (lightness, high) if relative_luminance(rgb) < 0.2 else (low, lightness)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in rgb)


def relative_luminance(rgb: tuple[float, float, float]) -> float:
    """Relative luminance in [0, 1] of an sRGB colour with channels in [0, 1] (WCAG 2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@cache
def _language(code: str) -> Language | None:
    """The registered language of a code; None for an invented one."""
    try:
        return get_language(code)
    except ValueError:
        return None


def language_name(code: str) -> str:
    """English name of a language, or the code itself where nobody knows it."""
    language = _language(code)
    return language.name if language else code


def family(code: str) -> str:
    """Family of a language; ``"unknown"`` where nobody knows it."""
    language = _language(code)
    return language.family if language else "unknown"


def labels(codes: Iterable[str]) -> dict[str, str]:
    """What charts call each language: its name; of more than :data:`MANY`, its family and how many it has.

    Examples
    --------
    >>> labels(["fra_Latn", "cop_Copt"])
    {'fra_Latn': 'French', 'cop_Copt': 'Coptic'}
    """
    codes = list(dict.fromkeys(codes))
    if len(codes) <= MANY:
        return {code: language_name(code) for code in codes}
    sizes = Counter(map(family, codes))
    ranks = {name: rank for rank, (name, _) in enumerate(sizes.most_common())}
    by_family = sorted(codes, key=lambda code: ranks[family(code)])
    return {code: f"{family(code)} ({sizes[family(code)]})" for code in by_family}


def language_heading(code: str) -> str:
    """HTML of a language's English name and of what it calls itself."""
    language, name = _language(code), html.escape(language_name(code))
    if language is None or language.endonym in (None, language.name):
        return name
    return f"{name} <bdi {language_attributes(code)}>{html.escape(language.endonym)}</bdi>"


def language_attributes(code: str) -> str:
    """The ``lang`` and ``dir`` attributes that a browser needs for text in a language."""
    language = _language(code)
    tag = language.tag if language else code.partition("_")[0]
    direction = "rtl" if language and language.is_right_to_left else "ltr"
    return f"lang='{html.escape(tag)}' dir='{direction}'"


def language_scale(languages: Iterable[str]) -> alt.Scale:
    """Colour scale over the labels of these languages: each has its colour; of many, each family."""
    named = labels(languages)
    if len(named) > MANY:
        colours = {label: family_colours([family(code)])[family(code)] for code, label in named.items()}
        return alt.Scale(domain=list(colours), range=list(colours.values()))
    return alt.Scale(domain=list(named.values()), range=list(language_colours(named).values()))


def language_legend(**settings) -> alt.Legend:
    """Legend of languages, whose short names stand in as many columns as the width allows."""
    return alt.Legend(columns=alt.expr(_LEGEND_COLUMNS.format(5, 1)), **settings)


def series_scale(names: Iterable[str]) -> alt.Scale:
    """Colour scale over any number of names: the book's rules keep their colours, others get further ones."""
    names = list(names)
    free = [colour for colour in _SERIES if colour not in {RULES.get(name) for name in names}]
    free += [hue_colour(number * GOLDEN) for number in range(len(names))]
    further = iter(free)
    return alt.Scale(domain=names, range=[RULES.get(name) or next(further) for name in names])


@alt.theme.register("lingua_franca", enable=False)
def lingua_franca() -> alt.theme.ThemeConfig:
    """The registered theme: transparent, quiet guides, text that can be read in light and in dark mode."""
    text = {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": 500,
    }
    return {
        "config": {
            "background": "transparent",
            "font": FONT,
            "view": {"stroke": None, "continuousWidth": 560, "continuousHeight": 300},
            "axis": text | {"gridColor": RULE, "domainColor": RULE, "tickColor": RULE, "titlePadding": 8},
            "axisBand": {"grid": False},
            # Bands come first in a layer, and their opacity would be the legend's.
            "legend": text
            | {
                "orient": "bottom",
                "columns": {"signal": _LEGEND_COLUMNS.format(3, 1)},
                "labelLimit": 300,
                "symbolLimit": 0,
                "symbolOpacity": 1,
                "symbolStrokeWidth": 2,
                "symbolType": "circle",
            },
            "header": text | {"labelFontSize": 12, "labelFontWeight": 600},
            "title": {
                "color": INK,
                "subtitleColor": INK,
                "fontSize": 13,
                "anchor": "start",
                "offset": 10,
                "fontWeight": 600,
            },
            "text": {"color": INK},
            "rule": {"color": BASELINE},
            "line": {"strokeWidth": 2.2},
            "point": {"filled": True, "size": 45},
        }
    }


class ScriptSafe(json.JSONEncoder):
    """JSON that can stand inside a script element: a text with "</script>" in it does not end the script."""

    def encode(self, o: object) -> str:
        return super().encode(o).replace("<", "\\u003c")


class _Script(ScriptSafe):
    """A specification as script. Tables, most of it, name their columns once and not in every row."""

    def encode(self, o: object) -> str:
        if isinstance(o, dict):
            return "{" + ",".join(f"{self.encode(name)}:{self.encode(o[name])}" for name in o) + "}"
        if not isinstance(o, list) or not o or not isinstance(o[0], dict):
            return super().encode(o)
        columns = list(o[0])
        if len(o) < 20 or any(not isinstance(row, dict) or list(row) != columns for row in o):
            return "[" + ",".join(map(self.encode, o)) + "]"
        row = f"Object.fromEntries({self.encode(columns)}.map((name, at) => [name, row[at]]))"
        return f"{self.encode([list(row.values()) for row in o])}.map(row => {row})"


def use() -> None:
    """Enable the theme, and Altair's HTML renderer with specifications that are safe inside a page."""
    alt.theme.enable("lingua_franca")
    alt.renderers.enable("html", json_kwds={"cls": _Script, "separators": (",", ":")})
