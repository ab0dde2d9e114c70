"""The languages of the book, and the only place where the code systems meet.

A language is named by its FLORES-200 code, ISO 639-3 and ISO 15924: ``"eng_Latn"``. Any such code is a
language; those of the file ``languages.csv`` are also known by family and place (after Glottolog), and those
of them with a CLDR locale, in which Babel can write text, by the names that data sets give them too. Its
column ``also`` holds other names, mostly the group that ISO 639-3 files a language under.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import langcodes

# Scripts that are not ISO 15924's "Hani" alone, but have its characters.
_WITH_HAN = {"Hani", "Hans", "Hant", "Jpan"}
_RIGHT_TO_LEFT = {"Adlm", "Arab", "Aran", "Hebr", "Mand", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa", "Yezi"}


@dataclass(frozen=True)
class Language:
    """One written language, in every code system that the book reads.

    Attributes
    ----------
    code : str
        FLORES-200 code, such as ``"zho_Hans"``.
    name, endonym : str
        What English calls the language, and what it calls itself.
    family : str
        Top-level family, after Glottolog; ``"Basque"`` is a family of one, ``"constructed"`` that of
        Esperanto, and ``"unknown"`` that of a language outside the file.
    cldr : str
        CLDR locale identifier; for a language of the table, as ``babel.Locale.parse`` takes it.
    xlsum, xstory_cloze : str or None
        The language's name in those data sets; None where they lack it.
    area : str or None
        Macro-area, after Glottolog, such as ``"Papunesia"``; None where a language has none, or it is not
        known.
    latitude, longitude : float or None
        Degrees north and east of the one place that Glottolog gives for the whole language.
    """

    code: str
    name: str
    endonym: str
    family: str
    cldr: str
    xlsum: str | None = None
    xstory_cloze: str | None = None
    area: str | None = None
    latitude: float | None = None
    longitude: float | None = None

    @property
    def script(self) -> str:
        """ISO 15924 code of the script, such as ``"Latn"`` or ``"Hans"``."""
        return self.code.partition("_")[2]

    @property
    def tag(self) -> str:
        """BCP 47 tag, for the attribute ``lang`` of HTML: ``"en"``, ``"zh-Hans"``."""
        return self.cldr.replace("_", "-")

    @property
    def is_right_to_left(self) -> bool:
        """Whether the script runs from right to left."""
        return self.script in _RIGHT_TO_LEFT

    @property
    def speakers(self) -> int | None:
        """People who speak the language, in whatever script, after CLDR; None where it has no figure.

        CLDR adds up estimates by country, of those who speak it first or second: take it for an order of
        magnitude. Where a language is the standard of a larger one (Plateau Malagasy), it is that one's.
        """
        spoken = langcodes.Language.get(self.tag.partition("-")[0])
        return spoken.prefer_macrolanguage().speaking_population() or None


def _read_table() -> tuple[dict[str, Language], dict[str, str], dict[str, dict]]:
    """Languages with a locale by code; their codes by every other name, in small letters; facts of others."""
    with (Path(__file__).parent / "languages.csv").open(encoding="utf-8", newline="") as file:
        rows = [{key: value or None for key, value in row.items()} for row in csv.DictReader(file)]
    languages, names, others = {}, {}, {}
    for row in rows:
        row |= {name: float(row[name]) for name in ("latitude", "longitude") if row[name]}
        if row["cldr"] is None:
            others[row["code"]] = {name: row[name] for name in ("family", "area", "latitude", "longitude")}
            continue
        also = (row.pop("also") or "").split()
        language = languages[row["code"]] = Language(**row)
        iso, script = language.code.split("_")
        isos = [iso, *(name for name in also if "_" not in name)]
        spellings = [f"{other}_{script}" for other in isos]
        spellings += [language.cldr, *also, language.xlsum, language.xstory_cloze, iso]
        # Of two languages that share a shorter name, the first in the order of codes has it.
        for name in (*spellings, language.cldr.partition("_")[0]):
            if name is not None:
                names.setdefault(name.lower(), language.code)
    return languages, names, others


LANGUAGES, _CODES, _OTHERS = _read_table()
"""The languages with a locale, in which text can be written, by FLORES-200 code in the order of codes."""

ALL = "all"
"""Instead of codes: every language that a corpus has, which is known once it is read."""

DEFAULT_LANGUAGES: tuple[str, ...] = (
    *("eng_Latn", "zho_Hans", "zho_Hant", "fra_Latn", "spa_Latn"),
    *("por_Latn", "arb_Arab", "vie_Latn", "hin_Deva", "ind_Latn"),
)
"""The ten languages of Zeng et al. (2025), which every stage uses unless told otherwise."""


def get_language(code: str) -> Language:
    """Look up a language by its FLORES-200 code; outside the table, its names are those of `langcodes`.

    Raises
    ------
    ValueError
        For what is no code of ISO 639-3 and ISO 15924, or another code of a language of the table; the
        message names the nearest of the table, found by ISO or CLDR code, by name and by spelling.

    Examples
    --------
    >>> get_language("swh_Latn").endonym, get_language("cop_Copt").name
    ('Kiswahili', 'Coptic')
    """
    language = LANGUAGES.get(code) if isinstance(code, str) else None
    language = language or _outside_table(str(code))
    if language is None:
        raise ValueError(
            f"unknown language code {code!r}; nearest known: {', '.join(_nearest(str(code)))} "
            f"(known are {len(LANGUAGES)} in languages.csv, and any ISO 639-3 and ISO 15924 code: 'ewe_Latn')"
        )
    return language


@lru_cache(maxsize=4096)
def _outside_table(code: str) -> Language | None:
    """A language without a locale; None for what is no code, or is another name of one that has a locale."""
    # Codes for "undetermined" and "several" are no languages, those for "common" and "unwritten" no scripts.
    parts = re.fullmatch(r"(?!und|mul|mis|zxx)([a-z]{3})_(?!Q|Z[imsxyz])([A-Z][a-z]{3})", code)
    if not parts or code.lower() in _CODES:
        return None
    iso, script = parts.groups()
    tag = langcodes.Language.get(f"{iso}-{script}")
    if tag.to_alpha3() != iso:  # Dari, "prs", would be turned into the Persian of Afghanistan
        tag = langcodes.Language.make(language=iso, script=script)
    spoken = langcodes.Language.make(language=tag.language)
    if not tag.is_valid() or spoken.language_name().startswith("Unknown language"):
        return None
    tag = spoken if spoken.maximize().script == script else tag
    facts = _OTHERS.get(code, {"family": "unknown"})
    return Language(code, tag.display_name(), tag.autonym(), cldr=str(tag).replace("-", "_"), **facts)


def is_language(code: object) -> bool:
    """Whether `get_language` knows the code."""
    return isinstance(code, str) and (code in LANGUAGES or _outside_table(code) is not None)


def check_languages(codes: str | Sequence[str] | None = None) -> tuple[str, ...]:
    """Turn any accepted way of naming languages into a tuple of codes, in the order given.

    Parameters
    ----------
    codes : str, sequence of str, or None
        None or ``"default"`` for the default ten; a string such as ``"eng_Latn, fra_Latn hin_Deva"``
        is split at commas and spaces.

    Raises
    ------
    ValueError
        For an unknown code, one given twice, or none at all.
    """
    if codes is None or (isinstance(codes, str) and codes.strip() == "default"):
        return DEFAULT_LANGUAGES
    if isinstance(codes, str):
        codes = re.findall(r"[^\s,]+", codes)
    checked = tuple(get_language(code).code for code in codes)
    if not checked:
        raise ValueError(
            "no language given; name FLORES-200 codes such as 'eng_Latn, fra_Latn', or 'default'"
        )
    repeated = sorted({code for code in checked if checked.count(code) > 1})
    if repeated:
        raise ValueError(f"language given more than once: {', '.join(repeated)}; name each language once")
    return checked


def find_language(name: str, likely: bool = False) -> str | None:
    """Code of the language that a data set or a file calls `name`; None if it names no language.

    Known are FLORES-200 and FLORES+ codes, and of the languages of the table ISO 639-3 of the language or of
    the group it is filed under, ISO 639-1, CLDR identifiers, and the names of XL-Sum and XStoryCloze; hyphens
    and underscores, capitals and small letters are the same.

    Parameters
    ----------
    name : str
        Such as ``"cmn_Hans"``, ``"zho-CN"``, ``"zh"``, ``"chinese_simplified"``.
    likely : bool
        Whether the bare ISO 639 code of a language outside the table is its name too: ``"cop"`` is then
        Coptic in the script that it is most likely written in. Many a word is such a code, ``"dev"`` is.

    Examples
    --------
    >>> [find_language(name) for name in ("en", "cmn_Hans", "zh-TW", "swa_Latn", "ewe-Latn", "pidgin")]
    ['eng_Latn', 'zho_Hans', 'zho_Hant', 'swh_Latn', 'ewe_Latn', None]
    """
    plain = name.strip().lower().replace("-", "_")
    if plain in _CODES:
        return _CODES[plain]
    iso, _, script = plain.partition("_")
    if likely and re.fullmatch("(?!und)[a-z]{2,3}", plain) and langcodes.tag_is_valid(plain):
        tag = langcodes.Language.get(plain).maximize()
        iso, script = tag.to_alpha3(), tag.script
    code = f"{iso}_{script.capitalize()}"
    return code if is_language(code) else None


def different_script(a: str, b: str) -> bool:
    """Whether two languages, given by code, are written in scripts without common characters."""
    one, other = get_language(a).script, get_language(b).script
    return one != other and not {one, other} <= _WITH_HAN


def different_family(a: str, b: str) -> bool:
    """Whether two languages, given by code, are known to be of different families; no constructed one is."""
    families = {get_language(a).family, get_language(b).family}
    return len(families) == 2 and not families & {"unknown", "constructed"}


def _nearest(wanted: str, n: int = 4) -> list[str]:
    """Codes of the table nearest to `wanted`: those it names in another way first, then by spelling."""
    wanted = wanted.strip().lower().replace("-", "_")
    language_part = wanted.partition("_")[0]

    def closeness(code: str) -> tuple[bool, bool, float]:
        language = LANGUAGES[code]
        names = [language.name, language.name.partition(" (")[0], language.endonym, language.xlsum or code]
        codes = [part for full in (code, language.cldr) for part in (full, full.partition("_")[0])]
        spellings = [spelling.lower() for spelling in (*codes, *names)]
        ratio = max(difflib.SequenceMatcher(None, wanted, spelling).ratio() for spelling in spellings)
        return wanted in spellings, language_part in spellings, ratio

    return sorted(LANGUAGES, key=closeness, reverse=True)[:n]
