"""Published parallel corpora by name: from the Hub, or from the folder ``data`` where the Hub has none.

Where a data set's commit is known it is pinned; where only a branch is, the commit that it stands for now is
told with the text, and is in a run's manifest. Of a data set only tables are read, parquet, or JSON lines
where there is nothing else; no script is ever fetched or run. A source that fails says everything it tried,
why each failed, and what to do instead.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from lingua_utils import files, hub
from lingua_utils.text import readers
from lingua_utils.text.languages import DEFAULT_LANGUAGES, check_languages, find_language
from lingua_utils.text.readers import Columns, Texts

_log = logging.getLogger(__name__)

# What each split is called, the first that there is; a data set with one split gives that one.
_SPLITS = {
    "train": ("train",),
    "dev": ("dev", "validation", "train"),
    "test": ("test", "devtest", "eval"),
    "devtest": ("devtest", "test"),
}
_SPLIT_NAMES = {name for names in _SPLITS.values() for name in names}

_CONVERTED = "refs/convert/parquet"  # the branch on which the Hub keeps a data set's tables as parquet


@dataclass(frozen=True)
class Dataset:
    """A data set of the Hub.

    Attributes
    ----------
    repo_id : str
    revisions : tuple of str
        The first that there is, is read; a commit, where one is known, before branches.
    sentences : callable or None
        From the table of one language to its sentences by id; None for one table with a column per language.
    by_row : bool
        Whether rows correspond where ids do not.
    """

    repo_id: str
    revisions: tuple[str, ...]
    sentences: Callable[[pd.DataFrame], Texts] | None
    by_row: bool = False


@dataclass(frozen=True)
class Source:
    """Where a corpus is looked for, in this order, and what to do when none of it works."""

    datasets: tuple[Dataset, ...]
    folders: tuple[str, ...]
    instead: str
    parallel: bool = True


def _column(key: str, column: str) -> Callable[[pd.DataFrame], Texts]:
    return lambda table: dict(zip(table[key].astype(str), table[column], strict=True))


def _story(table: pd.DataFrame) -> Texts:
    """The four sentences of each story, and its right ending."""
    right = table["answer_right_ending"] == 1
    parts = [table[f"input_sentence_{number}"] for number in (1, 2, 3, 4)]
    parts.append(table["sentence_quiz1"].where(right, table["sentence_quiz2"]))
    stories = zip(table["story_id"].astype(str), *parts, strict=True)
    return {f"{name}.{at}": text for name, *story in stories for at, text in enumerate(story, start=1)}


# The commit has its tables as JSON lines; later ones have parquet.
_FLORES_PLUS = ("5fec6c13f9e5a4db2f745d4ec0d7c9721ddc4f06", "main")
_PLAIN_FILES = "put a line-aligned file per language there, named eng_Latn.txt"

SOURCES = {
    "flores": Source(
        (
            Dataset("openlanguagedata/flores_plus", _FLORES_PLUS, _column("id", "text")),
            Dataset("facebook/flores", (_CONVERTED,), _column("id", "sentence")),
        ),
        ("flores", "flores200_dataset"),
        "unpack the FLORES-200 archive of facebookresearch/flores there",
    ),
    "bible": Source(
        (),
        ("bible",),
        "the Hub's tables name no verses, so put the XML of github.com/christos-c/bible-corpus there, or "
        "texts and vref.txt of github.com/BibleNLP/ebible",
    ),
    "xlsum": Source(
        (Dataset("csebuetnlp/xlsum", (_CONVERTED,), _column("id", "text")),),
        (),
        "use another text for perplexity, such as the phrasebook",
        parallel=False,
    ),
    "xstorycloze": Source(
        (Dataset("juletxara/xstory_cloze", (_CONVERTED, "main"), _story, by_row=True),),
        ("xstorycloze",),
        _PLAIN_FILES,
    ),
    "belebele": Source(
        (Dataset("facebook/belebele", (_CONVERTED, "main"), _column("link", "flores_passage")),),
        ("belebele",),
        _PLAIN_FILES,
    ),
    "ntrex": Source(
        (Dataset("mteb/NTREX", (_CONVERTED, "main"), None),),
        ("ntrex", "NTREX-128"),
        "put the files of github.com/MicrosoftTranslator/NTREX there",
    ),
    "pud": Source(
        (), ("pud",), "put the .conllu files of the PUD treebanks of universaldependencies.org there"
    ),
    "udhr": Source((), ("udhr",), "fetch the Declaration of Human Rights with `make texts`"),
    "tatoeba": Source(
        (),
        ("tatoeba",),
        "unpack Moses pairs of opus.nlpl.eu there, such as Tatoeba.en-fr.en and Tatoeba.en-fr.fr",
    ),
}


def read(name: str, codes: tuple[str, ...] | None, split: str) -> tuple[Columns, str, str]:
    """Sentences of a named parallel corpus by language, the split, and where they were read.

    The last is ``"owner/name@commit"`` for the Hub, whatever branch was asked for, and empty for a folder.

    Parameters
    ----------
    name : str
        One of :data:`SOURCES`.
    codes : tuple of str or None
        None is the default ten if the Hub's corpus has them, else every language; an empty tuple is every
        language.

    Raises
    ------
    PermissionError, ConnectionError, FileNotFoundError, ValueError
        If nothing that was tried worked: the kind is that of the first failure, and the message tells of all.
    """
    if not SOURCES[name].parallel:
        raise ValueError(
            f"{name} is not parallel, so its languages cannot be compared sentence by sentence; it is text "
            f"for perplexity: lingua_utils.text.published.monolingual({name!r}, languages)"
        )

    def from_hub(dataset: Dataset) -> tuple[Columns, str, str]:
        repository = _look_up(dataset)
        columns = _parallel_texts(repository, dataset, codes, split)
        return columns, split, f"{dataset.repo_id}@{repository.commit}"

    return _first_that_works(name, from_hub, lambda folder: (*readers.read(folder, codes or None, split), ""))


def monolingual(
    name: str, languages: str | tuple[str, ...] | None = None, n_texts: int | None = None, split: str = "test"
) -> dict[str, list[str]]:
    """Texts of a named corpus by language, as many as asked for of each, not parallel: for perplexity.

    Raises
    ------
    PermissionError, ConnectionError, FileNotFoundError, ValueError
        As :func:`read`.
    """
    codes = check_languages(languages)
    texts = _first_that_works(
        name,
        lambda dataset: {
            code: list(texts.values())
            for code, texts in _texts_of(_look_up(dataset), dataset, codes, split).items()
        },
        lambda folder: readers.read(folder, codes, split)[0],
    )
    return {code: sentences[:n_texts] for code, sentences in texts.items()}


def _first_that_works(name: str, from_hub: Callable, from_folder: Callable):
    """What the first data set or folder of a source gives; one error that tells of all, if none does."""
    source, failures = SOURCES[name], []
    for dataset in source.datasets:
        try:
            found = from_hub(dataset)
        except (OSError, ValueError) as error:
            failures.append((dataset.repo_id, error))
        else:
            for tried, error in failures:
                _log.warning("%s: not from %s (%s), but from %s", name, tried, error, dataset.repo_id)
            return found
    data = files.data_folder()
    folder = next((data / place for place in source.folders if (data / place).is_dir()), None)
    if folder is not None:
        return from_folder(folder)
    tried = [f"{where}: {error}" for where, error in failures]
    tried += [f"{data / place}: no such folder" for place in source.folders[:1]]
    kind = type(failures[0][1]) if failures else FileNotFoundError
    raise kind(f"{name}: nothing could be read. Tried {'; '.join(tried)}. Instead, {source.instead}")


# -- tables of the Hub


def _parallel_texts(
    repository: hub.Repository, dataset: Dataset, codes: tuple[str, ...] | None, split: str
) -> Columns:
    """Sentences of each language, aligned by id, or by row where a data set says that rows correspond."""
    texts = _texts_of(repository, dataset, codes, split)
    try:
        return readers.align(texts, dataset.repo_id)
    except ValueError:
        if not dataset.by_row or len({len(sentences) for sentences in texts.values()}) > 1:
            raise
        return {code: list(sentences.values()) for code, sentences in texts.items()}


def _texts_of(
    repository: hub.Repository, dataset: Dataset, codes: tuple[str, ...] | None, split: str
) -> dict[str, Texts]:
    """Sentences of each language by id, without empty ones; errors name what is there instead."""
    tables = _tables(repository)
    if dataset.sentences is None:
        table = _read(repository, _of_split(tables.get(None, {}), split, repository))
        # Of two columns for one language, "id" and "ind_Latn", the longer name is meant.
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
    if not codes:
        has_default = codes is None and set(DEFAULT_LANGUAGES) <= set(known)
        return DEFAULT_LANGUAGES if has_default else tuple(known)
    missing = [code for code in codes if code not in known]
    if missing:
        raise ValueError(f"{repository} has no {', '.join(missing)}; it has {', '.join(known) or 'none'}")
    return codes


def _of_split(tables: dict[str | None, list[str]], split: str, repository: hub.Repository) -> list[str]:
    if len(tables) == 1:
        return next(iter(tables.values()))
    name = next((name for name in _SPLITS.get(split, (split,)) if name in tables), None)
    if name is None:
        has = ", ".join(sorted(filter(None, tables))) or "none"
        raise ValueError(f"{repository} has no {split} split; it has {has}")
    return tables[name]


def _read(repository: hub.Repository, paths: list[str]) -> pd.DataFrame:
    folder = hub.fetch(repository, paths)
    tables = [
        pd.read_parquet(folder / path)
        if path.endswith(".parquet")
        else pd.read_json(folder / path, lines=True, dtype=False, convert_dates=False)
        for path in paths
    ]
    return pd.concat(tables, ignore_index=True)
