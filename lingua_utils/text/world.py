"""The small world the lab's models learn: countries, their languages, their currencies.

Meaning can only be shared between languages where it has a structure to share. Here every country has
a language and a currency of its own (as CLDR knows them), and a sentence says a few things about two
countries: "Swedish (Sweden), Monday (Japan), and Swedish Krona (Japan)." Babel renders everything from
CLDR, so the same sentence exists in every language, exactly.

What is held out: the *pair of countries* a sentence is about, and the *order of its kinds of clause*,
each belong to one split. A dev or test sentence never shows two countries together, a country with
another's currency, or an order of clauses, that training shows.

What is never bridged: a few countries occur in training, but in no line that is followed by its
translation. Sentences about two of them tell alignment carried over by structure from alignment memorised.

What is taught once: some countries keep a weekday of their own (an invented fact), and each of these is told
in one language only, never in a bilingual line. Asked in another language it is known only by transfer.

A meaning told alone is told in one language only, its *home*; those of the bilingual lines are others.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from hashlib import sha256
from itertools import combinations, islice, product
from typing import NamedTuple

from babel import Locale
from babel.dates import format_date
from babel.languages import get_official_languages

from lingua_utils.text import cldr
from lingua_utils.text.cldr import locale_of
from lingua_utils.text.languages import check_languages
from lingua_utils.text.phrasebook import DIGITS, check_choice, sentence_mark

# No two of these share an official language or a currency, so that every fact names its country.
BRIDGED = ("FR", "GB", "CN", "BR", "EG", "VN", "IN", "ID", "JP", "CH", "AR", "RU")
BRIDGED += ("TR", "SE", "IR", "IL", "ET", "PK", "PL", "CZ", "RO", "DK", "NP", "KH")
UNBRIDGED = ("TH", "KR", "HU", "UA", "TZ", "BD")
N_TAUGHT = 20  # at most: the last bridged countries, so that the others keep every weekday in bilingual lines
SECOND = ("translation", "mispaired", "apart")
APART = 500  # lines between two translations that are kept apart

DIGIT_FREE = ("country", "language", "currency", "foreign_currency", "weekday")
WITH_DIGITS = ("money", "percent", "temperature", "date")
_RANGES = {
    "weekday": (0, 7),
    "money": (2, 100),
    "percent": (2, 100),
    "temperature": (2, 40),
    "date": (0, 365),
}
SHARES = {"train": 0.6, "dev": 0.2, "test": 0.2}


class Clause(NamedTuple):
    """One thing said about a country; ``detail`` is the other country, the weekday or the number."""

    kind: str
    country: str
    detail: str | int | None = None


Sentence = tuple[Clause, ...]


class Line(NamedTuple):
    """A line of training text: a sentence in one language, or followed by one in another.

    What follows says the same, or ``other`` where the dial ``second`` is "mispaired".
    """

    sentence: Sentence
    language: str
    translation: str | None = None
    other: Sentence | None = None


@dataclass(frozen=True)
class World:
    """The dials of the world. Equal dials give equal text, on any machine and in any order of asking.

    Attributes
    ----------
    n_countries : int
        Countries in all, at most 30.
    n_unbridged : int
        How many of them never occur in a bilingual line, 0 to 6. At least 3 when any, so that each
        split has a pair of them.
    bilingual_share : float
        Share of training lines that are followed by their translation, 0 to 1.
    second : {"translation", "mispaired", "apart"}
        What follows in those lines. The others are placebos: "mispaired", a sentence of another meaning, so
        that two languages meet and say nothing of each other; "apart", nothing: the translation comes in a
        line of its own, some hundred lines later.
    digits_share : float
        Share of training lines whose clauses may hold numbers, 0 to 1.
    n_clauses : tuple of int
        The lengths of a sentence, in clauses; 2 or more.
    seed : int
        Which pairs and orders are held out.

    Examples
    --------
    >>> world = World()
    >>> sorted(world.bridged) == sorted(set(world.countries) - set(world.unbridged))
    True
    """

    n_countries: int = 30
    n_unbridged: int = 6
    bilingual_share: float = 1 / 3
    second: str = "translation"
    digits_share: float = 0.15
    n_clauses: tuple[int, ...] = (2, 3)
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.n_unbridged == 0 or 3 <= self.n_unbridged <= len(UNBRIDGED)):
            raise ValueError(f"n_unbridged is {self.n_unbridged}; it may be 0, or 3 to {len(UNBRIDGED)}")
        n_bridged = self.n_countries - self.n_unbridged
        if not 4 <= n_bridged <= len(BRIDGED):
            raise ValueError(f"n_countries - n_unbridged is {n_bridged}; it may be 4 to {len(BRIDGED)}")
        for name in ("bilingual_share", "digits_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it is a share, 0 to 1")
        check_choice("second", self.second, SECOND)
        if not self.n_clauses or min(self.n_clauses) < 2 or max(self.n_clauses) > 4:
            raise ValueError(f"n_clauses is {self.n_clauses}; a sentence has 2 to 4 clauses")

    @property
    def bridged(self) -> tuple[str, ...]:
        """Countries that bilingual lines speak of (ISO 3166 codes)."""
        return BRIDGED[: self.n_countries - self.n_unbridged]

    @property
    def unbridged(self) -> tuple[str, ...]:
        """Countries that no bilingual line speaks of."""
        return UNBRIDGED[: self.n_unbridged]

    @property
    def countries(self) -> tuple[str, ...]:
        return self.bridged + self.unbridged

    @cached_property
    def weekdays(self) -> dict[str, int]:
        """The weekday (0 is Monday) of the countries that keep one, which is taught in one language."""
        taught = sorted(self.bridged[4:][:N_TAUGHT], key=lambda country: _rank(f"{self.seed} {country}"))
        return {country: place % 7 for place, country in enumerate(taught)}

    def taught_in(self, languages: Sequence[str]) -> dict[str, str]:
        """The one language in which the weekday of a country is told; two neighbours in each, in turn."""
        languages = sorted(languages)
        return {c: languages[place // 2 % len(languages)] for place, c in enumerate(self.weekdays)}

    def facts(self, sentence: Sentence) -> frozenset[str]:
        """Countries whose weekday a sentence tells, of those that keep one."""
        return frozenset(c.country for c in sentence if c.kind == "weekday" and c.country in self.weekdays)

    def home(self, sentence: Sentence, languages: Sequence[str]) -> str | None:
        """The one language in which a meaning is told alone; None for a meaning of the bilingual lines.

        Meanings are dealt out by their hash, the same whatever share of the lines is bilingual; one that
        tells a weekday belongs to the language in which it is taught.
        """
        if facts := self.facts(sentence):
            return self.taught_in(languages)[min(facts)]
        rank = int.from_bytes(_rank(f"{self.seed} home {sentence}")[:8], "big")
        if rank % 2 and self.kind(sentence) == "bridged":
            return None
        return sorted(languages)[rank // 2 % len(languages)]

    @cached_property
    def pairs(self) -> dict[tuple[str, str], list[frozenset[str]]]:
        """Pairs of countries by (split, kind); kind is "bridged", "unbridged" or "mixed" (training only)."""
        mixed = [frozenset(pair) for pair in product(self.bridged, self.unbridged)]
        parts: dict[tuple[str, str], list[frozenset[str]]] = {("train", "mixed"): mixed}
        for kind, countries in (("bridged", self.bridged), ("unbridged", self.unbridged)):
            pairs = [frozenset(pair) for pair in combinations(countries, 2)]
            for split, part in self._deal(pairs, key=lambda pair: "-".join(sorted(pair))).items():
                parts[split, kind] = part
        return parts

    @cached_property
    def orders(self) -> dict[tuple[str, bool], list[tuple[str, ...]]]:
        """Orders of kinds of clause by (split, whether a clause has a number). No kind occurs thrice."""
        parts: dict[tuple[str, bool], list[tuple[str, ...]]] = {}
        for numbered in (False, True):
            kinds = DIGIT_FREE + WITH_DIGITS * numbered
            for n in self.n_clauses:
                orders = [
                    order
                    for order in product(kinds, repeat=n)
                    if max(map(order.count, order)) <= 2 and numbered != set(order).isdisjoint(WITH_DIGITS)
                ]
                for split, part in self._deal(orders, key=" ".join).items():
                    parts.setdefault((split, numbered), []).extend(part)
        return parts

    def kind(self, sentence: Sentence) -> str:
        """ "bridged", "unbridged" or "mixed", by the countries a sentence is about."""
        unbridged = {country in self.unbridged for country in countries_of(sentence)}
        return "mixed" if len(unbridged) == 2 else "unbridged" if unbridged.pop() else "bridged"

    def _deal(self, combinations: list, key) -> dict[str, list]:
        """Deal combinations out to the splits by rank of their hash: exact shares, no order to learn."""
        ranked = sorted(combinations, key=lambda one: _rank(f"{self.seed} {key(one)}"))
        n_dev, n_test = (round(SHARES[split] * len(ranked)) for split in ("dev", "test"))
        held_out = n_dev + n_test
        return {"dev": ranked[:n_dev], "test": ranked[n_dev:held_out], "train": ranked[held_out:]}


def _rank(text: str) -> bytes:
    return sha256(text.encode()).digest()


def countries_of(sentence: Sentence) -> frozenset[str]:
    """The countries a sentence speaks of, another's currency included."""
    named = {clause.country for clause in sentence}
    return frozenset(named | {clause.detail for clause in sentence if clause.kind == "foreign_currency"})


def compose(
    rng: random.Random, pair: frozenset[str], order: Sequence[str], weekdays: Mapping[str, int] | None = None
) -> Sentence:
    """A sentence about both countries of a pair, its clauses of the kinds and in the order given.

    ``weekdays`` are those that countries keep; of any other country it is drawn.
    """
    one, other = rng.sample(sorted(pair), 2)
    said: list[tuple[str, str]] = []
    for i, kind in enumerate(order):
        owner = (one, other)[i] if i < 2 else rng.choice((one, other))
        if (kind, owner) in said:
            owner = other if owner == one else one
        said.append((kind, owner))

    def detail(kind: str, owner: str) -> str | int | None:
        if kind == "foreign_currency":
            return other if owner == one else one
        if kind == "weekday" and owner in (weekdays or {}):
            return weekdays[owner]
        return rng.randrange(*_RANGES[kind]) if kind in _RANGES else None

    return tuple(Clause(kind, owner, detail(kind, owner)) for kind, owner in said)


def training_sentences(
    world: World, languages: str | Sequence[str] | None = None, n_lines: int = 1000, seed: int = 0
) -> Iterator[Line]:
    """The lines of the training text before they are rendered; see :func:`training_lines`."""
    return islice(_training_stream(world, tuple(sorted(check_languages(languages))), seed), n_lines)


def _training_stream(world: World, languages: tuple[str, ...], seed: int) -> Iterator[Line]:
    rng = random.Random(f"training {seed}")
    bridged = world.pairs["train", "bridged"]
    every = bridged + world.pairs["train", "unbridged"] + world.pairs["train", "mixed"]
    plain, numbered = world.orders["train", False], world.orders["train", True]
    taught_in = world.taught_in(languages)

    def drawn(bilingual: bool) -> tuple[Sentence, str | None]:
        """A sentence and its home: none for the bilingual lines, some language for a line of its own."""
        pairs = bridged if bilingual else every
        orders = numbered if rng.random() < world.digits_share else plain
        for _attempt in range(1000):
            sentence = compose(rng, rng.choice(pairs), rng.choice(orders), world.weekdays)
            home = _home(world, sentence, languages)
            taught = {taught_in[country] for country in world.facts(sentence)}
            if len(taught) < 2 and (home is None) == bilingual and _renders(sentence, languages):
                return sentence, home
        raise ValueError(f"CLDR cannot render the world in all of {', '.join(languages)}; leave some out")

    later: list[Line] = []
    while True:
        if len(languages) == 1 or rng.random() >= world.bilingual_share:
            yield Line(*drawn(bilingual=False))
        else:
            sentence, _ = drawn(bilingual=True)
            first, second = rng.sample(languages, 2)
            if world.second == "apart":
                yield Line(sentence, first)
                later.append(Line(sentence, second))
            else:
                other = None
                while world.second == "mispaired" and other in (None, sentence):
                    other, _ = drawn(bilingual=True)
                yield Line(sentence, first, second, other)
        if len(later) > APART:
            yield later.pop(0)


def training_lines(
    languages: str | Sequence[str] | None = None,
    n_lines: int = 1000,
    world: World | None = None,
    seed: int = 0,
) -> Iterator[str]:
    """Training text: each line a sentence, ``bilingual_share`` of them followed by its translation.

    The languages share no text: a meaning told alone is told in one language only (:meth:`World.home`), and
    is none of those of the bilingual lines.

    Parameters
    ----------
    languages : codes, or None for the default ten
        Lines are spread evenly over them; bilingual lines over all ordered pairs.
    n_lines : int
        How many lines to make.
    world : World, optional
        The dials.
    seed : int
        Seed of the drawing. The held-out combinations depend on ``world.seed`` alone.

    Yields
    ------
    str
        ``"Egypt and Danish (Denmark). 埃及和丹麦语 (丹麦)。"``, say.
    """
    for line in training_sentences(world or World(), languages, n_lines, seed):
        text = render(line.sentence, line.language)
        yield f"{text} {render(line.other or line.sentence, line.translation)}" if line.translation else text


def parallel_sentences(
    languages: str | Sequence[str] | None = None,
    n_sentences: int = 100,
    split: str = "dev",
    seed: int = 0,
    digits: str = "none",
    world: World | None = None,
) -> tuple[list[list[str]], list[str]]:
    """Sentences about the world in several languages, in combinations of one split only.

    Parameters
    ----------
    languages : codes, or None for the default ten
        A clause that one of them cannot render is not used.
    n_sentences : int
        How many distinct meanings. Bridged and unbridged ones alternate, until there are no more unbridged.
    split : {"train", "dev", "test"}
        No pair of countries and no order of clauses is in two splits.
    seed : int
        Seed of the drawing.
    digits : {"none", "latin", "native"}
        "none" leaves out every clause that any of the languages writes with a digit of any script.
    world : World, optional
        The dials; the default is the world of the lab.

    Returns
    -------
    texts : list of list of str, [language][sentence]
        ``texts[a][m]`` and ``texts[b][m]`` translate each other.
    kinds : list of str, [sentence]
        "bridged" when bilingual training lines speak of both countries, "unbridged" when of neither.

    Raises
    ------
    ValueError
        For an unknown split or choice of digits, or more sentences than the world has.
    """
    languages, world = check_languages(languages), world or World()
    check_choice("split", split, tuple(SHARES))
    check_choice("digits", digits, DIGITS)
    rng = random.Random(f"{split} {seed}")
    orders = world.orders[split, False] + (world.orders[split, True] if digits != "none" else [])
    sources = [world.pairs[split, kind] for kind in ("bridged", "unbridged") if world.pairs[split, kind]]
    sources = [rng.sample(pairs, len(pairs)) for pairs in sources]
    found: dict[Sentence, None] = {}
    misses = 0
    while len(found) < n_sentences:
        # Go round the pairs, so that few sentences share one; a source run dry is left out.
        pairs = sources[len(found) % len(sources)]
        if misses % 50 == 0:
            pairs.append(pairs.pop(0))
        sentence = compose(rng, pairs[-1], rng.choice(orders))
        # What is taught in one language only is no parallel text.
        is_new = sentence not in found and not world.facts(sentence)
        is_new = is_new and _renders(sentence, languages, digits == "none")
        misses = 0 if is_new else misses + 1
        if is_new:
            found[sentence] = None
        elif misses > 2000:
            sources.remove(pairs)
            misses = 0
        if not sources:
            raise ValueError(
                f"the world has only some {len(found)} {split} sentences (digits={digits!r}) in these "
                f"{len(languages)} languages, not {n_sentences}; ask for fewer"
            )
    texts = [[render(sentence, code, native=digits == "native") for sentence in found] for code in languages]
    return texts, [world.kind(sentence) for sentence in found]


def render(sentence: Sentence, language: str, native: bool = False) -> str:
    """A sentence in a language, joined by its list patterns and ended by its sentence mark."""
    locale, texts = locale_of(language), [clause_text(clause, language) for clause in sentence]
    text = cldr.list_template(locale, len(texts)).format(*texts) + sentence_mark(language)
    return text.translate(cldr.native_digits(locale)) if native else text


@cache
def clause_text(clause: Clause, language: str) -> str | None:
    """A clause in a language, or None when CLDR does not hold all of its words."""
    locale = locale_of(language)
    try:
        country = locale.territories[clause.country]
        text = country if clause.kind == "country" else f"{_said(clause, locale)} ({country})"
    except KeyError:
        return None
    return None if cldr.is_foreign(text, language) else text


def _said(clause: Clause, locale: Locale) -> str:
    """What a clause says of its country; a KeyError where CLDR has no word for it."""
    country, detail = clause.country, clause.detail
    match clause.kind:
        case "language":
            return locale.languages[get_official_languages(country)[0]]
        case "currency":
            return locale.currencies[cldr.currency_of(country)]
        case "foreign_currency":
            return locale.currencies[cldr.currency_of(detail)]
        case "weekday":
            return cldr.name(locale, "days", detail)
        case "money":
            return cldr.money(locale, "latn", detail, cldr.currency_of(country))
        case "percent":
            return cldr.percent(locale, "latn", detail / 100)
        case "temperature":
            return cldr.measure(locale, "latn", detail, "temperature-celsius")
        case "date":
            day = datetime.date(2023, 1, 1) + datetime.timedelta(days=detail)
            return format_date(day, "long", locale=locale)
    raise ValueError(f"no kind of clause {clause.kind!r}")


@lru_cache(maxsize=1 << 16)
def _home(world: World, sentence: Sentence, languages: tuple[str, ...]) -> str | None:
    return world.home(sentence, languages)


@lru_cache(maxsize=1 << 16)
def _renders(sentence: Sentence, languages: tuple[str, ...], digit_free: bool = False) -> bool:
    """Whether every language renders every clause, and (if asked) without a digit of any script."""
    return all(_clause_renders(clause, languages, digit_free) for clause in sentence)


@cache
def _clause_renders(clause: Clause, languages: tuple[str, ...], digit_free: bool) -> bool:
    texts = [clause_text(clause, language) for language in languages]
    return None not in texts and not (digit_free and any(map(str.isdecimal, "".join(texts))))
