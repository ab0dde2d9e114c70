"""Published parallel corpora by name: from the Hub, or from the folder ``data`` where the Hub has none.

Revisions are pinned. A source that fails says everything it tried, why each failed, and what to do instead.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lingua_utils import files
from lingua_utils.text import aligned
from lingua_utils.text.hub_tables import Dataset, parallel_texts, texts_of
from lingua_utils.text.languages import check_languages
from lingua_utils.text.parallel_files import Columns

_log = logging.getLogger(__name__)

_CONVERTED = "refs/convert/parquet"  # the branch on which the Hub keeps a data set's tables as parquet


def _column(key: str, column: str) -> Callable[[pd.DataFrame], dict[str, str]]:
    def sentences(table: pd.DataFrame) -> dict[str, str]:
        return dict(zip(table[key].astype(str), table[column], strict=True))

    return sentences


def _story(table: pd.DataFrame) -> dict[str, str]:
    """The four sentences of each story, and its right ending."""
    right = table["answer_right_ending"] == 1
    parts = [table[f"input_sentence_{number}"] for number in (1, 2, 3, 4)]
    parts.append(table["sentence_quiz1"].where(right, table["sentence_quiz2"]))
    stories = zip(table["story_id"].astype(str), *parts, strict=True)
    return {f"{name}.{at}": text for name, *story in stories for at, text in enumerate(story, start=1)}


@dataclass(frozen=True)
class Source:
    """Where a corpus is looked for, in this order, and what to do when none of it works."""

    datasets: tuple[Dataset, ...]
    folders: tuple[str, ...]
    instead: str
    parallel: bool = True


SOURCES = {
    "flores": Source(
        (
            # The commit has its tables as JSON lines; later ones have parquet.
            Dataset(
                "openlanguagedata/flores_plus",
                ("5fec6c13f9e5a4db2f745d4ec0d7c9721ddc4f06", "main"),
                _column("id", "text"),
            ),
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
        "put a line-aligned file a language there, named eng_Latn.txt",
    ),
    "belebele": Source(
        (Dataset("facebook/belebele", (_CONVERTED, "main"), _column("link", "flores_passage")),),
        ("belebele",),
        "put a line-aligned file a language there, named eng_Latn.txt",
    ),
    "ntrex": Source(
        (Dataset("mteb/NTREX", (_CONVERTED, "main"), None),),
        ("ntrex", "NTREX-128"),
        "put the files of github.com/MicrosoftTranslator/NTREX there",
    ),
    "pud": Source(
        (),
        ("pud",),
        "put the .conllu files of the PUD treebanks of universaldependencies.org there",
    ),
    "tatoeba": Source(
        (),
        ("tatoeba",),
        "unpack Moses pairs of opus.nlpl.eu there, such as Tatoeba.en-fr.en and Tatoeba.en-fr.fr",
    ),
}


def read(name: str, codes: tuple[str, ...] | None, split: str) -> tuple[Columns, str]:
    """Sentences of a named parallel corpus by language, and the split.

    Parameters
    ----------
    name : str
        One of :data:`SOURCES`.
    codes : tuple of str or None
        None is the default ten if the corpus has them, else every language that it has.

    Raises
    ------
    PermissionError, ConnectionError, FileNotFoundError, ValueError
        If nothing that was tried worked: the kind is that of the first failure, and the message tells of all.
    """
    source = SOURCES[name]
    if not source.parallel:
        raise ValueError(
            f"{name} is not parallel, so its languages cannot be compared sentence by sentence; it is text "
            f"for perplexity: lingua_utils.text.sources.monolingual({name!r}, languages)"
        )

    def from_hub(dataset: Dataset) -> tuple[Columns, str]:
        return parallel_texts(dataset, codes, split), split

    def from_folder(folder: Path) -> tuple[Columns, str]:
        return aligned.read(folder, codes, split)

    return _first_that_works(name, from_hub, from_folder)


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

    def from_hub(dataset: Dataset) -> Columns:
        return {
            code: list(texts.values())[:n_texts] for code, texts in texts_of(dataset, codes, split).items()
        }

    def from_folder(folder: Path) -> Columns:
        columns, _ = aligned.read(folder, codes, split)
        return {code: sentences[:n_texts] for code, sentences in columns.items()}

    return _first_that_works(name, from_hub, from_folder)


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
    data = files.resolve(os.environ.get("LINGUA_DATA", "data"))
    folder = next((data / place for place in source.folders if (data / place).is_dir()), None)
    if folder is not None:
        return from_folder(folder)
    tried = [f"{where}: {error}" for where, error in failures]
    tried += [f"{data / place}: no such folder" for place in source.folders[:1]]
    kind = type(failures[0][1]) if failures else FileNotFoundError
    raise kind(f"{name}: nothing could be read. Tried {'; '.join(tried)}. Instead, {source.instead}")
