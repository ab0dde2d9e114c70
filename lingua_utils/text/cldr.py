"""What CLDR can say in a locale, and nothing that it cannot.

Where a locale has a gap, Babel writes a raw identifier ("81 mass-kilogram"), a code ("XOF") or CLDR's
root ("+3 d", "M03"). The functions here raise a KeyError instead.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from functools import cache, lru_cache

from babel import Locale, dates, numbers

from lingua_utils.text.languages import LANGUAGES, get_language

_ROOT = Locale("root")
# Babel writes what it reads through an alias into data that locales share, so a locale loaded before the root
# is first read would say more than one loaded after. Here the root always comes first.
for _field in (_ROOT.months, _ROOT.days):
    for _context in ("format", "stand-alone"):
        _field[_context]["wide"]

# The zero of every decimal numbering system that is native to some language of the table.
_ZEROS = {"arab": "٠", "arabext": "۰", "beng": "০", "deva": "०", "gujr": "૦", "guru": "੦"}
_ZEROS |= {"java": "꧐", "khmr": "០", "knda": "೦", "laoo": "໐", "latn": "0", "mlym": "൦"}
_ZEROS |= {"mymr": "၀", "orya": "୦", "tamldec": "௦", "telu": "౦", "thai": "๐"}
DIGITS = {system: "".join(chr(ord(zero) + n) for n in range(10)) for system, zero in _ZEROS.items()}
DIGITS["hanidec"] = "〇一二三四五六七八九"


@cache
def locale_of(code: str) -> Locale:
    """The locale in which text is generated for a language of the table.

    Raises
    ------
    ValueError
        For a language outside the table, of which CLDR's cover is not known.
    """
    if get_language(code).code not in LANGUAGES:
        raise ValueError(
            f"no text can be generated in {code}, which has no row in lingua_utils/text/languages.csv; "
            "add one, or leave the language out"
        )
    return Locale.parse(LANGUAGES[code].cldr)


def native_system(locale: Locale) -> str:
    """The numbering system of the locale's own digits, a key of `DIGITS`."""
    return locale.other_numbering_systems.get("native", "latn")


def native_digits(locale: Locale) -> dict[int, int]:
    """The table for `str.translate` that turns ASCII digits into the locale's own."""
    return str.maketrans(DIGITS["latn"], DIGITS[native_system(locale)])


def is_foreign(text: str, code: str) -> bool:
    """Whether a text has Latin letters in a language of another script, as CLDR fills some gaps."""
    return get_language(code).script != "Latn" and re.search("[A-Za-z]", text) is not None


def currency_of(territory: str) -> str | None:
    """The territory's currency at the start of 2024, whatever day it is today."""
    new_year = datetime.date(2024, 1, 1)
    return next(iter(numbers.get_territory_currencies(territory, new_year, new_year)), None)


# One function per kind of frame: in come a locale, the numbering system of its separators, and the
# argument; out comes text, or a KeyError where CLDR has a gap.


def date(locale: Locale, system: str, day: datetime.date) -> str:
    return _named_month(dates.format_date(day, "full", locale), day.month)


def month_and_year(locale: Locale, system: str, year: int, month: int) -> str:
    day = datetime.date(year, month, 1)
    return _named_month(dates.format_skeleton("yMMMM", day, fuzzy=False, locale=locale), month)


def weekday_and_time(locale: Locale, system: str, weekday: int, time: datetime.time) -> str:
    clock = locale.datetime_skeletons["Hm"].apply(time, locale)
    return locale.datetime_formats["medium"].format(clock, name(locale, "days", weekday))


def relative_time(locale: Locale, system: str, steps: int, unit: str) -> str:
    patterns = locale._data["date_fields"][unit]["future" if steps > 0 else "past"]
    root_patterns = _ROOT._data["date_fields"][unit]["future" if steps > 0 else "past"]
    return _counted(patterns, root_patterns, locale, abs(steps)).format(abs(steps))


def measure(locale: Locale, system: str, amount: int, unit: str) -> str:
    lengths = locale._data["unit_patterns"][unit]
    # CLDR leaves out a long form that is the same as the short one.
    patterns = lengths["long"] if "other" in lengths.get("long", ()) else lengths["short"]
    number = numbers.format_decimal(amount, locale=locale, numbering_system=system)
    return _counted(patterns, _ROOT._data["unit_patterns"][unit]["short"], locale, amount).format(number)


def duration(locale: Locale, system: str, *parts: tuple[int, str]) -> str:
    return _join(locale, [measure(locale, system, *part) for part in parts], "unit")


def money(locale: Locale, system: str, amount: int, currency: str) -> str:
    if currency not in locale.currencies:
        raise KeyError(currency)
    return numbers.format_currency(
        amount, currency, locale=locale, format_type="name", currency_digits=False, numbering_system=system
    )


def percent(locale: Locale, system: str, share: float) -> str:
    return numbers.format_percent(share, locale=locale, decimal_quantization=False, numbering_system=system)


def large_number(locale: Locale, system: str, number: int) -> str:
    def written(locale: Locale, length: str, system: str) -> str:
        return numbers.format_compact_decimal(
            number, format_type=length, locale=locale, fraction_digits=2, numbering_system=system
        )

    if "long" in locale.compact_decimal_formats:
        return written(locale, "long", system)
    # Chinese and Japanese have one form, "63亿", which is filed under "short", as is the root's "63G".
    if written(locale, "short", "latn") == written(_ROOT, "short", "latn"):
        raise KeyError(number)
    return written(locale, "short", system)


def names(field: str) -> Callable[..., str]:
    """The function that lists a locale's own names of things: ``"territories"``, ``"days"``, ``"units"``."""

    def listed(locale: Locale, system: str, *things: str | int) -> str:
        return _join(locale, [name(locale, field, thing) for thing in things])

    return listed


def name_with_detail(field: str) -> Callable[..., str]:
    """The function that writes a territory with, in brackets, what belongs to it: "Japan (Japanese Yen)"."""

    def bracketed(locale: Locale, system: str, territory: str, detail: str) -> str:
        brackets = "{}（{}）" if locale.language in ("zh", "ja") else "{} ({})"
        return brackets.format(locale.territories[territory], name(locale, field, detail))

    return bracketed


def time_zone(locale: Locale, system: str, zone: str) -> str:
    return locale.meta_zones[zone]["long"]["standard"]


@lru_cache(maxsize=4096)
def list_template(locale: Locale, n_items: int, style: str = "standard") -> str:
    """The locale's own pattern for a list of `n_items` things: "{0}, {1}, and {2}".

    Babel's `format_list` repeats the last of two items where a style has no pattern for two.
    """
    items = [f"{{{i}}}" for i in range(n_items)]
    if n_items == 1:
        return items[0]
    styles = [
        locale.list_patterns[name]
        for name in (style, f"{style}-short", "standard")
        if name in locale.list_patterns
    ]
    if n_items == 2:
        return next(patterns["2"] for patterns in styles if "2" in patterns)
    start, middle, end = (
        next(patterns[part] for patterns in styles if part in patterns) for part in ("start", "middle", "end")
    )
    joined = start
    for item in items[2:-1]:
        joined = middle.format(joined, item)
    return end.format(joined, items[-1])


def _join(locale: Locale, items: list[str], style: str = "standard") -> str:
    return list_template(locale, len(items), style).format(*items)


def _named_month(text: str, month: int) -> str:
    """The text of a date, unless it has the root's name for the month ("M03")."""
    if _ROOT.months["format"]["wide"][month] in text:
        raise KeyError(month)
    return text


@lru_cache(maxsize=4096)
def name(locale: Locale, field: str, thing: str | int) -> str:
    """The locale's own name of a thing, a KeyError where it has none but the root's."""
    if field == "units":
        names, root = locale.unit_display_names[thing], _ROOT.unit_display_names[thing]
        if "long" not in names and names["short"] == root.get("short"):
            raise KeyError(thing)
        return names["long"] if "long" in names else names["short"]
    if field not in ("days", "months"):
        return getattr(locale, field)[thing]
    root_name = getattr(_ROOT, field)["format"]["wide"][thing]
    # The name on its own is in most languages the name in a date.
    for context in ("stand-alone", "format"):
        if (own_name := getattr(locale, field)[context]["wide"][thing]) != root_name:
            return own_name
    raise KeyError(thing)


def _counted(patterns: dict, root_patterns: dict, locale: Locale, amount: int) -> str:
    """The pattern for an amount; CLDR leaves out a plural that is the same as "other"."""
    plural = locale.plural_form(amount)
    pattern = patterns[plural if plural in patterns else "other"]
    if pattern == root_patterns["other"]:
        raise KeyError(plural)
    return pattern
