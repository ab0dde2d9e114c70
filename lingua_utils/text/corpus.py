"""Parallel corpora: the same sentences in several languages, generated or read from files."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from lingua_utils import files
from lingua_utils.text import published, readers
from lingua_utils.text.languages import ALL, LANGUAGES, check_languages

GENERATED = ("phrasebook", "world")
NAMES = (*GENERATED, *published.SOURCES)
SPLITS = ("train", "dev", "test", "devtest")
DEFAULT_N_SENTENCES = 200

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ParallelCorpus:
    """The same sentences in several languages.

    Attributes
    ----------
    name : str
        ``"phrasebook"``, ``"world"``, or the name of the folder or table.
    languages : tuple of str
        FLORES-200 codes.
    texts : tuple of tuple of str
        Indexed [language][sentence]: ``texts[a][m]`` and ``texts[b][m]`` translate each other.
    split : str
        "train", "dev", "test" or, in a folder of FLORES, "devtest".
    kinds : tuple of str or None
        A group for each meaning, where the corpus has groups.
    source : str
        Of a corpus of the Hub, ``"owner/name@commit"``; else empty. No part of the fingerprint.
    """

    name: str
    languages: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...] = field(repr=False)
    split: str
    kinds: tuple[str, ...] | None = field(default=None, repr=False)
    source: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.name} ({self.split}): {self.n_sentences} sentences in {self.n_languages} languages"

    @property
    def n_languages(self) -> int:
        """How many languages."""
        return len(self.languages)

    @property
    def n_sentences(self) -> int:
        """How many meanings: sentences in each language."""
        return len(self.texts[0])

    @cached_property
    def n_repeated(self) -> int:
        """How many meanings have, in at least one language, a sentence that an earlier meaning has too.

        A repeated sentence is its own perfect neighbour, which flatters similarity and retrieval.
        """
        columns = (pd.Series(sentences, dtype=object).duplicated().to_numpy() for sentences in self.texts)
        return int(np.logical_or.reduce(list(columns)).sum())

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of languages, texts and kinds: the same content has the same, wherever it lies."""
        content = json.dumps([self.languages, self.texts, self.kinds], separators=(",", ":"))
        return hashlib.sha256(content.encode("ascii")).hexdigest()

    def table(self) -> pd.DataFrame:
        """One row per sentence, one column per language."""
        return pd.DataFrame(dict(zip(self.languages, self.texts, strict=True)))

    def select(self, sentences: slice | Sequence[int]) -> ParallelCorpus:
        """The corpus of some of the meanings, given by a slice, by indices or by a boolean mask."""
        indices = np.arange(self.n_sentences)
        indices = indices[sentences] if isinstance(sentences, slice) else indices[np.asarray(sentences)]
        chosen = indices.tolist()
        return replace(
            self,
            texts=tuple(tuple(column[index] for index in chosen) for column in self.texts),
            kinds=None if self.kinds is None else tuple(self.kinds[index] for index in chosen),
        )


def load_corpus(
    source: str | Path,
    languages: str | Sequence[str] | None = None,
    n_sentences: int | None = None,
    split: str = "dev",
    seed: int = 0,
    *,
    digits: str | None = None,
) -> ParallelCorpus:
    """Make or read a parallel corpus, and check it.

    Parameters
    ----------
    source : str or Path
        - ``"phrasebook"`` or ``"world"``: generated, see the modules of these names in `lingua_utils.text`.
        - A published corpus: ``"flores"``, ``"xstorycloze"``, ``"belebele"``, ``"ntrex"``, ``"bible"``,
          ``"pud"``, ``"udhr"`` or ``"tatoeba"``, from the Hub or the folder ``data``, see
            `lingua_utils.text.published`.
        - A folder with one file per language, one sentence per line, line m of every file with the same
          meaning: ``eng_Latn.txt``, or the layout of FLORES-200, ``dev/eng_Latn.dev``. Files that do not
          name a split serve every split; ``split="test"`` also finds FLORES's "devtest".
          Also CoNLL-U files, Bibles, NTREX and Moses pairs, see `lingua_utils.text.readers`.
        - A table with a column per language: .tsv or .csv (quoted as pandas writes them), .jsonl, .parquet.
    languages : str, sequence of str, or None
        FLORES-200 codes, as `lingua_utils.text.languages.check_languages` takes them; of a generated corpus,
        those of the table of languages that have a CLDR locale. ``"all"`` is every language that the corpus
        has, in the order of codes (of a table's columns). None is the default ten for a generated corpus and
        for one of the Hub that has them, else all.
    n_sentences : int or None
        The first so many; 0 or None is 200 for a generated corpus, all there are otherwise.
    split, seed
        Of a generated corpus; others may have splits too, and of a Bible a book is one: ``"MRK"``.
    digits : {"latin", "native", "none"} or None
        How a generated corpus writes numbers; None is "latin" for the phrasebook, "none" for the world.

    Returns
    -------
    ParallelCorpus
        Repeated sentences stay; their number is logged, and is in ``n_repeated``.

    Raises
    ------
    ValueError
        In one line, for an unknown source, language or split, a path that ends in ``..``, fewer than 2
        languages or sentences, more sentences than there are, files of unequal lengths, an empty sentence
        (file and line, from 1), invalid UTF-8 (file and byte offset, from 0), a column that is missing.
    FileNotFoundError
        For a path, or a language's file, that does not exist; says which languages are there.
    PermissionError, ConnectionError
        For a published corpus that is gated or out of reach; says what was tried and what to do instead.
    """
    is_generated = str(source) in GENERATED
    if split not in SPLITS and (is_generated or not readers.is_book(split)):
        raise ValueError(f"unknown split {split!r}; choose one of {', '.join(SPLITS)}")
    n_sentences = n_sentences or 0
    if not (isinstance(n_sentences, int | np.integer) and (n_sentences == 0 or n_sentences >= 2)):
        raise ValueError(f"n_sentences={n_sentences}: a corpus needs at least 2 sentences, or 0 for all")
    codes = _chosen(languages)
    if is_generated:
        corpus = _generate(str(source), codes, n_sentences or DEFAULT_N_SENTENCES, split, seed, digits)
    elif digits is not None:
        raise ValueError(f"digits={digits!r} is for generated corpora; {source} has the digits it has")
    else:
        corpus = _read(source, codes, n_sentences, split)
    if corpus.n_repeated:
        _log.warning("%s; %d of them repeat an earlier sentence in some language", corpus, corpus.n_repeated)
    return corpus


def _chosen(languages: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """The languages asked for; an empty tuple for all, None where nothing was asked for."""
    if languages is None:
        return None
    if languages == ALL or list(languages) == [ALL]:
        return ()
    codes = check_languages(languages)
    _check_two_languages(codes)
    return codes


def _generate(
    name: str, codes: tuple[str, ...] | None, n_sentences: int, split: str, seed: int, digits: str | None
) -> ParallelCorpus:
    codes, kinds = check_languages(tuple(LANGUAGES) if codes == () else codes), None
    # Imported when asked for: Babel, and the phrasebook's frames, take a moment.
    if name == "phrasebook":
        from lingua_utils.text import phrasebook

        texts = phrasebook.parallel_sentences(codes, n_sentences, split, seed, digits or "latin")
    else:
        from lingua_utils.text import world

        texts, kinds = world.parallel_sentences(codes, n_sentences, split, seed, digits or "none")
    return ParallelCorpus(name, codes, tuple(map(tuple, texts)), split, kinds and tuple(kinds))


def _read(source: str | Path, codes: tuple[str, ...] | None, n_sentences: int, split: str) -> ParallelCorpus:
    origin = ""
    if str(source) in published.SOURCES:
        name = str(source)
        columns, split, origin = published.read(name, codes, split)
    elif (path := _find(source)).is_dir():
        name = path.resolve().name
        columns, split = readers.read(path, codes or None, split)
    else:
        name, columns = path.stem, readers.read_table(path, codes or None)
    _check_two_languages(columns, source)
    n_there = len(next(iter(columns.values())))
    if n_there < 2:
        raise ValueError(
            f"{source} has {n_there} sentence{'s' * (n_there != 1)} per language; a corpus needs at least 2"
        )
    if n_sentences > n_there:
        raise ValueError(
            f"n_sentences={n_sentences}, but {source} has {n_there}; ask for at most {n_there}, or 0 for all"
        )
    texts = tuple(tuple(sentences[: n_sentences or None]) for sentences in columns.values())
    return ParallelCorpus(name, tuple(columns), texts, split, source=origin)


def _find(source: str | Path) -> Path:
    path = Path(source).expanduser()
    if path.name in ("", ".."):
        raise ValueError(
            f"corpus {str(source)!r} names no folder of its own; name it in full: {path.resolve()}"
        )
    path = path if path.exists() else files.resolve(path)
    if path.exists():
        return path
    names = ", ".join((*GENERATED, *published.SOURCES))
    known = f"it is none of {names}, and no folder or {'/'.join(readers.TABLES)} table of that name"
    if len(Path(source).parts) > 1 or path.suffix:
        raise FileNotFoundError(f"no corpus at {source}: {known}")
    raise ValueError(f"unknown corpus {str(source)!r}: {known}")


def _check_two_languages(codes: Iterable[str], source: str | Path | None = None) -> None:
    codes = tuple(codes)
    if len(codes) < 2:
        where = f"{source}: " if source else ""
        raise ValueError(f"{where}a corpus needs at least 2 languages, got {len(codes)}: {', '.join(codes)}")
