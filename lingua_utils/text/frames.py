"""The frames of the phrasebook: things that can be said in every language.

A frame is a kind ("measure") with an argument (25 kilometers). Babel renders it from Unicode's Common
Locale Data Repository, so that "25 kilometers" and "25 किलोमीटर" are exact translations.
"""

from __future__ import annotations

import datetime
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from babel import Locale, numbers
from babel.core import get_global
from babel.languages import get_official_languages

from lingua_utils.text import cldr
from lingua_utils.text.languages import LANGUAGES, Language, get_language

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


@dataclass(frozen=True)
class Kind:
    """A kind of frame, how Babel renders it, and every argument that it takes in the phrasebook."""

    name: str
    render: Callable[..., str]
    arguments: tuple[tuple, ...]


def _drawn(render: Callable[..., str], draw: Callable[[random.Random], tuple]) -> Kind:
    """A kind with the first 250 different arguments drawn; its name seeds them."""
    name = render.__name__.replace("_", " ")
    rng = random.Random(name)
    arguments = dict.fromkeys(draw(rng) for _ in range(600))
    return Kind(name, render, tuple(arguments)[:250])


def _listed(render: Callable[..., str], arguments: Sequence[tuple]) -> Kind:
    return Kind(render.__name__.replace("_", " "), render, tuple(arguments))


def _some(names: Sequence) -> Callable[[random.Random], tuple]:
    """Two or three different names, in one order only: "A and B" means what "B and A" means."""
    return lambda rng: tuple(sorted(rng.sample(names, rng.choice((2, 2, 3))), key=names.index))


def _kinds() -> tuple[Kind, ...]:
    new_year = datetime.date(2024, 1, 1)  # a fixed day: currencies come and go
    currency_of = {}
    for territory in sorted(get_global("territory_currencies")):
        current = numbers.get_territory_currencies(territory, new_year, new_year)
        if re.fullmatch("[A-Z]{2}", territory) and territory not in _NO_COUNTRY and current:
            currency_of[territory] = current[0]
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

    def duration(rng: random.Random) -> tuple:
        larger, smaller = rng.choice(nested)
        single = ((rng.randint(2, 90), rng.choice(_DURATIONS)),)
        return rng.choice((single, ((rng.randint(2, 12), larger), (rng.randint(2, 29), smaller))))

    return (
        _drawn(
            cldr.date, lambda rng: (datetime.date(1850, 1, 1) + datetime.timedelta(rng.randrange(73000)),)
        ),
        _drawn(cldr.month_and_year, lambda rng: (rng.randint(1850, 2049), rng.randint(1, 12))),
        _drawn(
            cldr.weekday_and_time,
            lambda rng: (rng.randrange(7), datetime.time(rng.randrange(24), rng.randrange(0, 60, 5))),
        ),
        _drawn(
            cldr.relative_time,
            lambda rng: (
                rng.choice((-1, 1)) * rng.randint(2, 50),
                rng.choice(("year", "month", "week", "day", "hour", "minute")),
            ),
        ),
        _drawn(cldr.duration, duration),
        _drawn(cldr.measure, lambda rng: (rng.randint(2, 900), rng.choice(_MEASURES))),
        _drawn(cldr.money, lambda rng: (rng.randint(2, 900), rng.choice(currencies))),
        _drawn(cldr.percent, lambda rng: (rng.randint(1, 400) / rng.choice((100, 200)),)),
        # Three figures at most, so that the two decimals of "6.35 करोड़" lose nothing.
        _drawn(cldr.large_number, lambda rng: (rng.randint(2, 999) * rng.choice((10**6, 10**9)),)),
        _listed(cldr.weekdays, [*combinations(range(7), 2), *combinations(range(7), 3)]),
        _drawn(cldr.months, _some(range(1, 13))),
        _drawn(cldr.places, _some(territories)),
        _drawn(cldr.languages, _some(languages)),
        _drawn(cldr.scripts, _some(_SCRIPTS)),
        _drawn(cldr.currencies, _some(currencies)),
        _drawn(cldr.units, _some(_MEASURES + _DURATIONS)),
        _listed(cldr.place_with_currency, list(currency_of.items())),
        _listed(cldr.place_with_language, official),
        _listed(cldr.time_zone, [(zone,) for zone in sorted(Locale("en").meta_zones)]),
    )


KINDS: tuple[Kind, ...] = _kinds()
"""Every kind of frame."""


def frame_texts(code: str, native_digits: bool = False) -> tuple[str | None, ...]:
    """Render every frame in one language: kind after kind in the order of `KINDS`.

    Parameters
    ----------
    code : str
        FLORES-200 code of the language.
    native_digits : bool
        Write numbers in the language's own digits where CLDR names such ("٢٥", "२५", "二五"), else in
        ASCII digits.

    Returns
    -------
    tuple of str or None, one for each frame
        None where the language cannot say it: where CLDR has a gap, or answers a language of another
        script in Latin letters.
    """
    return _render(get_language(code), bool(native_digits))


@lru_cache(maxsize=512)
def _render(language: Language, native_digits: bool) -> tuple[str | None, ...]:
    locale = Locale.parse(language.cldr)
    system = locale.other_numbering_systems.get("native", "latn")
    latin, own = cldr.DIGITS["latn"], cldr.DIGITS[system]
    if native_digits:
        separators = system if system in locale.number_symbols else "latn"
        digits = str.maketrans(latin, own)
    else:
        # Names too have numbers, "জিম্বাবুয়ে ডলার (২০০৯)"; but the 三 of 三月 is a word.
        separators = "latn"
        digits = str.maketrans(own, latin) if own.isdecimal() else {}
    is_foreign = re.compile("[A-Za-z]" if language.script != "Latn" else "(?!)").search
    texts: list[str | None] = []
    for kind in KINDS:
        for argument in kind.arguments:
            try:
                text = kind.render(locale, separators, *argument)
            except KeyError:
                texts.append(None)
            else:
                texts.append(None if is_foreign(text) else text.translate(digits))
    return tuple(texts)
