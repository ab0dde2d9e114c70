"""Tables of text on the Hub: which file holds which language and split, and the sentences in it.

Only tables are read: parquet, or JSON lines where a repository has nothing else. No script of a data set is
ever fetched or run.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lingua_utils import hub
from lingua_utils.text import aligned
from lingua_utils.text.languages import DEFAULT_LANGUAGES, LANGUAGES, find_language
from lingua_utils.text.parallel_files import Columns

_log = logging.getLogger(__name__)

# What each split is called, the first that there is; a data set with one split gives that one.
_SPLITS = {
    "train": ("train",),
    "dev": ("dev", "validation", "train"),
    "test": ("test", "devtest", "eval"),
    "devtest": ("devtest", "test"),
}
_SPLIT_NAMES = {name for names in _SPLITS.values() for name in names}


@dataclass(frozen=True)
class Dataset:
    """A data set of the Hub.

    Attributes
    ----------
    repo_id : str
    revisions : tuple of str
        The first that there is, is read.
    sentences : callable or None
        From the table of one language to its sentences by id; None for one table with a column a language.
    by_row : bool
        Whether rows correspond where ids do not.
    """

    repo_id: str
    revisions: tuple[str, ...]
    sentences: Callable[[pd.DataFrame], dict[str, str]] | None
    by_row: bool = False


def texts_of(dataset: Dataset, codes: tuple[str, ...] | None, split: str) -> dict[str, dict[str, str]]:
    """Sentences of each language by id, without empty ones.

    Parameters
    ----------
    codes : tuple of str or None
        None is the default ten if the data set has them, else every language of the book that it has.

    Raises
    ------
    ValueError
        For a language, split or column that is not there; the message names those that are.
    FileNotFoundError, PermissionError, ConnectionError, OSError
        As `hub.look_up` and `hub.fetch`.
    """
    repository = _look_up(dataset)
    tables = _tables(repository)
    if dataset.sentences is None:
        table = _read(repository, _of_split(tables.get(None, {}), split, repository))
        columns = {find_language(name): name for name in sorted(table.columns, key=len)}
        texts = {code: dict(table[columns[code]].items()) for code in _languages(columns, codes, repository)}
    else:
        texts = {}
        for code in _languages(tables, codes, repository):
            table = _read(repository, _of_split(tables[code], split, repository))
            try:
                texts[code] = dataset.sentences(table)
            except KeyError as error:
                has = ", ".join(map(str, table.columns))
                raise ValueError(f"{repository} has no column {error} for {code}; it has {has}") from None
    return {
        code: {name: text for name, text in sentences.items() if isinstance(text, str) and text.strip()}
        for code, sentences in texts.items()
    }


def parallel_texts(dataset: Dataset, codes: tuple[str, ...] | None, split: str) -> Columns:
    """Sentences of each language, aligned by id, or by row where a data set says that rows correspond."""
    texts = texts_of(dataset, codes, split)
    try:
        return aligned.align(texts, dataset.repo_id)
    except ValueError:
        if not dataset.by_row or len({len(sentences) for sentences in texts.values()}) > 1:
            raise
        return {code: list(sentences.values()) for code, sentences in texts.items()}


def _look_up(dataset: Dataset) -> hub.Repository:
    """The data set at the first of its revisions that there is."""
    *pinned, last = dataset.revisions
    for revision in pinned:
        try:
            return hub.look_up(dataset.repo_id, revision, "dataset")
        except FileNotFoundError as error:
            _log.warning("%s; trying %s", error, last)
    return hub.look_up(dataset.repo_id, last, "dataset")


def _tables(repository: hub.Repository) -> dict[str | None, dict[str | None, list[str]]]:
    """Paths of a data set's tables by language and split, read from the paths; None where they tell neither.

    ``english/test/0000.parquet``, ``dev/eng_Latn.parquet`` and ``data/test-00000-of-00001.parquet`` are among
    the layouts that there are.
    """
    paths = [path for path in repository.files if path.endswith(".parquet")]
    paths = paths or [path for path in repository.files if path.endswith(".jsonl")]
    if not paths:
        raise FileNotFoundError(f"{repository} has no tables; no script of it is run")
    tables: dict[str | None, dict[str | None, list[str]]] = {}
    for path in sorted(paths):
        parts = re.sub(r"-\d+-of-\d+|\.\w+$", "", path).split("/")
        split = next((part for part in parts if part in _SPLIT_NAMES), None)
        code = next((code for part in parts if part != split and (code := find_language(part))), None)
        tables.setdefault(code, {}).setdefault(split, []).append(path)
    return tables


def _languages(there: dict, codes: tuple[str, ...] | None, repository: hub.Repository) -> tuple[str, ...]:
    known = sorted(code for code in there if code is not None)
    if codes is None:
        return DEFAULT_LANGUAGES if set(DEFAULT_LANGUAGES) <= set(known) else tuple(known)
    missing = [code for code in codes if code not in known]
    if missing:
        raise ValueError(
            f"{repository} has no {', '.join(missing)}; of the book's {len(LANGUAGES)} languages it has "
            f"{', '.join(known) or 'none'}"
        )
    return codes


def _of_split(tables: dict[str | None, list[str]], split: str, repository: hub.Repository) -> list[str]:
    if len(tables) == 1:
        return next(iter(tables.values()))
    name = next((name for name in _SPLITS[split] if name in tables), None)
    if name is None:
        has = ", ".join(sorted(filter(None, tables))) or "none"
        raise ValueError(f"{repository} has no {split} split; it has {has}")
    return tables[name]


def _read(repository: hub.Repository, paths: list[str]) -> pd.DataFrame:
    folder = hub.fetch(repository, paths)
    readers = {
        ".parquet": pd.read_parquet,
        ".jsonl": lambda path: pd.read_json(path, lines=True, dtype=False, convert_dates=False),
    }
    return pd.concat([readers[Path(path).suffix](folder / path) for path in paths], ignore_index=True)
