"""Parallel sentences in real languages, made on the spot from CLDR: no download, any number.

A frame is a kind ("measure") with an argument (25 kilometers). Babel renders it from Unicode's Common Locale
Data Repository, so that "25 kilometers" and "25 किलोमीटर" are exact translations. A sentence is a list of two
to four frames, "134 euros, 63 million, and Qatar and Pakistan.", joined by the language's own list pattern
and ended by its sentence mark.

**Splits.** No two frames that stand together in a sentence of one split ever stand together in a
sentence of another, whatever the number of sentences, the seed and the languages. Every frame has a
colour, a point (x, y) of the affine plane over the integers modulo 5. Two points with different x lie
on exactly one line y = a·x + b, and a sentence takes all its frames from one line. So any two of its
frames tell the slope a, and each slope belongs to one split: 0, 1, 2 to train, 3 to dev, 4 to test.
Single frames occur in all splits.
"""

from __future__ import annotations

import datetime
import operator
import random
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
from babel import Locale
from babel.core import get_global
from babel.languages import get_official_languages

from lingua_utils.text import cldr
from lingua_utils.text.languages import LANGUAGES, check_languages, get_language

SPLITS = ("train", "dev", "test")
DIGITS = ("latin", "native", "none")

_SLOPES = {"train": (0, 1, 2), "dev": (3,), "test": (4,)}
_PLANE = 5
_MAX_CLAUSES = 4

# What ends a sentence, where it is no full stop; Thai and Lao end it with a space.
_MARKS = {"Armn": "։", "Ethi": "።", "Khmr": "។", "Mymr": "။", "Laoo": "", "Thai": ""}
_MARKS |= {"mar_Deva": ".", "urd_Arab": "۔"}
_MARKS |= dict.fromkeys(("Beng", "Deva", "Guru", "Orya"), "।") | dict.fromkeys(("Hans", "Hant", "Jpan"), "。")

_MEASURES = (
    *("length-kilometer", "length-meter", "length-centimeter", "length-mile", "length-foot", "length-inch"),
    *("mass-kilogram", "mass-gram", "mass-pound", "volume-liter", "volume-cubic-meter", "area-hectare"),
    *("area-square-kilometer", "area-square-meter", "speed-kilometer-per-hour", "temperature-celsius"),
    *("power-watt", "power-kilowatt", "electric-volt", "frequency-hertz", "energy-kilocalorie"),
    *("energy-joule", "digital-megabyte", "digital-gigabyte"),
)
_DURATIONS = tuple(f"duration-{unit}" for unit in ("second", "minute", "hour", "day", "week", "month"))
_SCRIPTS = (
    *("Arab", "Armn", "Beng", "Bopo", "Brai", "Cher", "Cyrl", "Deva", "Egyp", "Ethi", "Geor", "Goth"),
    *("Grek", "Gujr", "Guru", "Hang", "Hebr", "Hira", "Java", "Jpan", "Kana", "Khmr", "Knda", "Laoo"),
    *("Latn", "Mlym", "Mong", "Mymr", "Orya", "Runr", "Sinh", "Syrc", "Taml", "Telu", "Thaa", "Thai", "Tibt"),
)

_NO_COUNTRY = ("AC", "CP", "CQ", "DG", "EA", "IC", "TA", "UM")  # islets and military bases


class Kind(NamedTuple):
    """A kind of frame, how Babel renders it, and every argument that it takes in the phrasebook."""

    name: str
    render: Callable[..., str]
    arguments: tuple[tuple, ...]


def _drawn(name: str, render: Callable[..., str], draw: Callable[[random.Random], tuple]) -> Kind:
    """A kind with the first 250 different arguments drawn; its name seeds them."""
    rng = random.Random(name)
    arguments = dict.fromkeys(draw(rng) for _ in range(600))
    return Kind(name, render, tuple(arguments)[:250])


def _some(name: str, field: str, things: Sequence) -> Kind:
    """Two or three different names, in one order only: "A and B" means what "B and A" means."""

    def draw(rng: random.Random) -> tuple:
        return tuple(sorted(rng.sample(things, rng.choice((2, 2, 3))), key=things.index))

    return _drawn(name, cldr.names(field), draw)


def _kinds() -> tuple[Kind, ...]:
    currency_of = {
        territory: currency
        for territory in sorted(get_global("territory_currencies"))
        if re.fullmatch("[A-Z]{2}", territory) and territory not in _NO_COUNTRY
        if (currency := cldr.currency_of(territory))
    }
    territories, currencies = list(currency_of), sorted(set(currency_of.values()))
    languages = sorted({language.cldr.partition("_")[0] for language in LANGUAGES.values()})
    official = [
        (territory, language)
        for territory in territories
        for language in get_official_languages(territory)
        if language in languages
    ]
    second, minute, hour, day, week, month = _DURATIONS
    nested = [(minute, second), (hour, minute), (day, hour), (week, day), (month, day)]
    steps = ("year", "month", "week", "day", "hour", "minute")
    weekdays = (*combinations(range(7), 2), *combinations(range(7), 3))

    def date(rng: random.Random) -> tuple:
        return (datetime.date(1850, 1, 1) + datetime.timedelta(rng.randrange(73000)),)

    def weekday_and_time(rng: random.Random) -> tuple:
        return rng.randrange(7), datetime.time(rng.randrange(24), rng.randrange(0, 60, 5))

    def duration(rng: random.Random) -> tuple:
        larger, smaller = rng.choice(nested)
        single = ((rng.randint(2, 90), rng.choice(_DURATIONS)),)
        return rng.choice((single, ((rng.randint(2, 12), larger), (rng.randint(2, 29), smaller))))

    return (
        _drawn("date", cldr.date, date),
        _drawn(
            "month and year", cldr.month_and_year, lambda rng: (rng.randint(1850, 2049), rng.randint(1, 12))
        ),
        _drawn("weekday and time", cldr.weekday_and_time, weekday_and_time),
        _drawn(
            "relative time",
            cldr.relative_time,
            lambda rng: (rng.choice((-1, 1)) * rng.randint(2, 50), rng.choice(steps)),
        ),
        _drawn("duration", cldr.duration, duration),
        _drawn("measure", cldr.measure, lambda rng: (rng.randint(2, 900), rng.choice(_MEASURES))),
        _drawn("money", cldr.money, lambda rng: (rng.randint(2, 900), rng.choice(currencies))),
        _drawn("percent", cldr.percent, lambda rng: (rng.randint(1, 400) / rng.choice((100, 200)),)),
        # Three figures at most, so that the two decimals of "6.35 करोड़" lose nothing.
        _drawn(
            "large number",
            cldr.large_number,
            lambda rng: (rng.randint(2, 999) * rng.choice((10**6, 10**9)),),
        ),
        Kind("weekdays", cldr.names("days"), weekdays),
        _some("months", "months", range(1, 13)),
        _some("places", "territories", territories),
        _some("languages", "languages", languages),
        _some("scripts", "scripts", _SCRIPTS),
        _some("currencies", "currencies", currencies),
        _some("units", "units", _MEASURES + _DURATIONS),
        Kind("place with currency", cldr.name_with_detail("currencies"), tuple(currency_of.items())),
        Kind("place with language", cldr.name_with_detail("languages"), tuple(official)),
        Kind("time zone", cldr.time_zone, tuple((zone,) for zone in sorted(Locale("en").meta_zones))),
    )


KINDS: tuple[Kind, ...] = _kinds()
"""Every kind of frame."""


@lru_cache(maxsize=512)
def frame_texts(code: str, native_digits: bool = False) -> tuple[str | None, ...]:
    """Render every frame in one language: kind after kind in the order of `KINDS`.

    Parameters
    ----------
    code : str
        FLORES-200 code of a language of the table.
    native_digits : bool
        Write numbers in the language's own digits where CLDR names such ("٢٥", "२५", "二五"), else in
        ASCII digits.

    Returns
    -------
    tuple of str or None, one for each frame
        None where the language cannot say it: where CLDR has a gap, or answers a language of another
        script in Latin letters.
    """
    locale = cldr.locale_of(code)
    system = cldr.native_system(locale)
    separators = system if native_digits and system in locale.number_symbols else "latn"
    digits = cldr.native_digits(locale)
    if not native_digits:
        # Names too have numbers, "জিম্বাবুয়ে ডলার (২০০৯)"; but the 三 of 三月 is a word.
        digits = {own: latin for latin, own in digits.items() if chr(own).isdecimal()}

    def said(render: Callable[..., str], argument: tuple) -> str | None:
        try:
            text = render(locale, separators, *argument)
        except KeyError:
            return None
        return None if cldr.is_foreign(text, code) else text.translate(digits)

    return tuple(said(kind.render, argument) for kind in KINDS for argument in kind.arguments)


def sentence_mark(code: str) -> str:
    """The mark that ends a sentence of the language; empty for Thai and Lao, which end with a space."""
    return _MARKS.get(code, _MARKS.get(get_language(code).script, "."))


def parallel_sentences(
    languages: str | Sequence[str] | None,
    n_sentences: int,
    split: str = "dev",
    seed: int = 0,
    digits: str = "latin",
) -> list[list[str]]:
    """Make the same sentences in every language.

    Parameters
    ----------
    languages : str, sequence of str, or None
        FLORES-200 codes, as `lingua_utils.text.languages.check_languages` takes them. A frame that one of
        them cannot render is not used, so the sentences depend on the set of languages, not on its order.
    n_sentences : int
        How many; they are all different, and the first of many are the same as few.
    split : {"dev", "train", "test"}
        Splits share no two frames that stand together.
    seed : int
        Not negative; the same seed gives the same sentences.
    digits : {"latin", "native", "none"}
        ASCII digits in every language; each language's own; or only frames without digits in all of
        them, so that likeness of meaning cannot rest on shared numerals.

    Returns
    -------
    list of list of str
        Indexed [language][sentence], in the order of `languages`.

    Raises
    ------
    ValueError
        For an unknown language, split or kind of digits, a negative seed, fewer than 1 sentence, or
        more sentences than the languages' shared frames can form.

    Examples
    --------
    >>> english, chinese = parallel_sentences("eng_Latn zho_Hans", 1, digits="none")
    """
    codes = check_languages(languages)
    n_sentences, seed = _check_integer("n_sentences", n_sentences, 1), _check_integer("seed", seed, 0)
    check_choice("split", split, SPLITS)
    check_choice("digits", digits, DIGITS)
    pool = _pool(tuple(sorted(codes)), digits)
    rows = _draw_distinct(pool, n_sentences, split, seed)
    return [_compose(code, pool.texts[code], rows) for code in codes]


class _Pool(NamedTuple):
    """The frames that a set of languages shares, sorted by kind and colour."""

    texts: dict[str, list[str]]  # [language][frame]
    first: np.ndarray  # [kind, x, y]: the first frame of the kind with the colour
    count: np.ndarray  # [kind, x, y]: how many there are


@lru_cache(maxsize=64)
def _pool(codes: tuple[str, ...], digits: str) -> _Pool:
    """Keep the frames that every language renders, each different from all others in every language."""
    texts = {code: frame_texts(code, native_digits=digits == "native") for code in codes}
    kinds, colours = _kinds_and_colours()
    usable = np.ones(len(kinds), bool)
    for rendered in texts.values():
        seen: set[str | None] = {None}
        for frame, text in enumerate(rendered):
            if text in seen or (digits == "none" and any(map(str.isdigit, text))):
                usable[frame] = False
            seen.add(text)
    colour_counts = np.zeros((len(KINDS), _PLANE**2), int)
    np.add.at(colour_counts, (kinds[usable], colours[usable]), 1)
    # A kind takes part if it can stand at every point of the plane.
    has_all_colours = colour_counts.all(axis=1)
    frames = np.flatnonzero(usable & has_all_colours[kinds])
    frames = frames[np.lexsort((colours[frames], kinds[frames]))]
    counts = colour_counts[has_all_colours].reshape(-1, _PLANE, _PLANE)
    firsts = np.cumsum(counts).reshape(counts.shape) - counts
    return _Pool(
        {code: [rendered[frame] for frame in frames] for code, rendered in texts.items()}, firsts, counts
    )


@lru_cache(maxsize=1)
def _kinds_and_colours() -> tuple[np.ndarray, np.ndarray]:
    """Each frame's kind, and its colour: every kind is dealt out evenly over the points of the plane."""
    kinds, colours = [], []
    for index, kind in enumerate(KINDS):
        dealt = [position % _PLANE**2 for position in range(len(kind.arguments))]
        random.Random(kind.name).shuffle(dealt)
        kinds += [index] * len(dealt)
        colours += dealt
    return np.array(kinds), np.array(colours)


def _draw_distinct(pool: _Pool, n_sentences: int, split: str, seed: int) -> np.ndarray:
    """Frames [sentence, clause], -1 where a sentence is shorter; no two rows hold the same frames."""
    rng = np.random.default_rng([SPLITS.index(split), seed])
    rows = np.empty((0, _MAX_CLAUSES), int)
    size = max(n_sentences + n_sentences // 50, 64)
    while True:
        drawn = np.concatenate([rows, _draw(pool, size, split, rng)])
        _, first_seen = np.unique(np.sort(drawn, axis=1), axis=0, return_index=True)
        n_before, rows = len(rows), drawn[np.sort(first_seen)]
        if len(rows) >= n_sentences:
            return rows[:n_sentences]
        if len(rows) - n_before < size // 50:
            raise ValueError(
                f"n_sentences={n_sentences} is more than these languages can form: the {split} split has "
                f"about {len(rows)} different sentences; ask for fewer, or for fewer languages"
            )


def _draw(pool: _Pool, n_rows: int, split: str, rng: np.random.Generator) -> np.ndarray:
    """Draw rows of frames; a row uses its own stretch of random numbers, so that longer draws begin alike."""
    n_kinds = len(pool.count)
    if n_kinds < _MAX_CLAUSES:
        raise ValueError(
            f"these languages share only {n_kinds} kinds of frame, of the {_MAX_CLAUSES} needed; use fewer"
        )
    uniform = rng.random((n_rows, 3 + _PLANE + n_kinds + _MAX_CLAUSES))
    shape, for_x, for_kind, for_frame = np.split(uniform, np.cumsum([3, _PLANE, n_kinds]), axis=1)
    n_clauses = 2 + (shape[:, :1] * (_MAX_CLAUSES - 1)).astype(int)
    slope = np.array(_SLOPES[split])[(shape[:, 1:2] * len(_SLOPES[split])).astype(int)]
    intercept = (shape[:, 2:] * _PLANE).astype(int)
    x = np.argsort(for_x, axis=1)[:, :_MAX_CLAUSES]
    y = (slope * x + intercept) % _PLANE
    kind = np.argsort(for_kind, axis=1)[:, :_MAX_CLAUSES]
    frames = pool.first[kind, x, y] + (for_frame * pool.count[kind, x, y]).astype(int)
    return np.where(np.arange(_MAX_CLAUSES) < n_clauses, frames, -1)


def _compose(code: str, texts: list[str], rows: np.ndarray) -> list[str]:
    """Join each row's clauses as the language joins a list, and end the sentence."""
    locale, mark = cldr.locale_of(code), sentence_mark(code)
    sentences = [""] * len(rows)
    n_clauses = (rows >= 0).sum(axis=1)
    for n in range(2, _MAX_CLAUSES + 1):
        join = cldr.list_template(locale, n).format
        chosen = np.flatnonzero(n_clauses == n)
        for sentence, frames in zip(chosen.tolist(), rows[chosen, :n].tolist(), strict=True):
            text = join(*[texts[frame] for frame in frames])
            sentences[sentence] = text if text.endswith(mark) else text + mark
    return sentences


def _check_integer(name: str, value: int, least: int) -> int:
    try:
        value = operator.index(value)
    except TypeError:
        raise ValueError(f"{name}={value!r} is not a whole number") from None
    if value < least:
        raise ValueError(f"{name}={value} is too small; give {least} or more")
    return value


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"unknown {name} {value!r}; choose one of {', '.join(choices)}")
