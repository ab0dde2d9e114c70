"""Parallel sentences in real languages, made on the spot from CLDR: no download, any number.

A sentence is a list of two to four clauses, "134 euros, 63 million, and Qatar and Pakistan.". Each
clause is a frame (`lingua_utils.text.frames`), and the language's own list pattern and sentence
mark join them.

**Splits.** No two frames that stand together in a sentence of one split ever stand together in a
sentence of another, whatever the number of sentences, the seed and the languages. Every frame has a
colour, a point (x, y) of the affine plane over the integers modulo 5. Two points with different x lie
on exactly one line y = a·x + b, and a sentence takes all its frames from one line. So any two of its
frames tell the slope a, and each slope belongs to one split: 0, 1, 2 to train, 3 to dev, 4 to test.
Single frames occur in all splits.
"""

from __future__ import annotations

import operator
import random
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from babel import Locale

from lingua_utils.text.cldr import list_template
from lingua_utils.text.frames import KINDS, frame_texts
from lingua_utils.text.languages import check_languages, get_language

SPLITS = ("train", "dev", "test")
DIGITS = ("latin", "native", "none")

_SLOPES = {"train": (0, 1, 2), "dev": (3,), "test": (4,)}
_PLANE = 5
_MAX_CLAUSES = 4

_MARK_OF_SCRIPT = {
    "Armn": "։",
    "Beng": "।",
    "Deva": "।",
    "Ethi": "።",
    "Guru": "।",
    "Hans": "。",
    "Hant": "。",
    "Jpan": "。",
    "Khmr": "។",
    "Laoo": "",
    "Mymr": "။",
    "Orya": "।",
    "Thai": "",
}
_MARK_OF_LANGUAGE = {"mar_Deva": ".", "urd_Arab": "۔"}


def sentence_mark(code: str) -> str:
    """The mark that ends a sentence of the language; empty for Thai and Lao, which end with a space."""
    return _MARK_OF_LANGUAGE.get(code) or _MARK_OF_SCRIPT.get(get_language(code).script, ".")


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
    _check_choice("split", split, SPLITS)
    _check_choice("digits", digits, DIGITS)
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
    locale, mark = Locale.parse(get_language(code).cldr), sentence_mark(code)
    templates = [list_template(locale, n_clauses) for n_clauses in range(1, _MAX_CLAUSES + 1)]
    sentences = [""] * len(rows)
    n_clauses = (rows >= 0).sum(axis=1)
    for n in range(2, _MAX_CLAUSES + 1):
        join = templates[n - 1].format
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


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"unknown {name} {value!r}; choose one of {', '.join(choices)}")
