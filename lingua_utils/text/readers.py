"""Reading parallel text from files: as it was written, or an error that says where it is at fault.

Every reader of a folder takes the folder, the codes of the languages wanted (None: all there are) and a
split, and returns the sentences of each language by code, and the split. Sentences that have ids are aligned
by them. Hidden files and folders are no part of a corpus.
"""

from __future__ import annotations

import io
import json
import logging
import re
import warnings
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pandas as pd

from lingua_utils.text import udhr
from lingua_utils.text.languages import LANGUAGES, find_language, get_language, is_language

_log = logging.getLogger(__name__)

TABLES = (".tsv", ".csv", ".jsonl", ".parquet")

# A Bible's splits are books, so that no passage is in two. These lie in the New Testament, which most
# languages have; Acts tells nothing that the Gospels tell, and John the least of what the other three do.
BIBLE_SPLITS = {"dev": ("ACT",), "test": ("JHN",)}

Columns = dict[str, list[str]]  # the sentences of each language, by code
Texts = dict[str, str]  # the sentences of one language by id


def read(folder: Path, codes: tuple[str, ...] | None, split: str) -> tuple[Columns, str]:
    """Read a folder in whichever format it is; plain files, one per language, are the default."""
    if udhr.is_udhr(folder):
        return udhr.read(folder, codes), split
    if any(_files(folder, "*.conllu")):
        return read_conllu(folder, codes, split)
    if any(_files(folder, "vref.txt")) or any(_files(folder, "*.xml")):
        return read_bible(folder, codes, split)
    if any(_files(folder, "newstest2019-*.txt")):
        return read_ntrex(folder, codes, split)
    if _moses_pairs(folder):
        return read_moses(folder, codes, split)
    return read_folder(folder, codes, split)


def align(texts: dict[str, Texts], where: str) -> Columns:
    """Sentences with an id that every language has, in the order that most of the languages have them in.

    Raises
    ------
    ValueError
        If the languages share no id.
    """
    shared = set.intersection(*(set(sentences) for sentences in texts.values()))
    if not shared:
        raise ValueError(f"{where}: no sentence id is in all of {', '.join(texts)}; choose fewer languages")
    orders = Counter(tuple(name for name in sentences if name in shared) for sentences in texts.values())
    order = orders.most_common(1)[0][0]
    n_all = len(set.union(*(set(sentences) for sentences in texts.values())))
    if n_all > len(order):
        _log.warning("%s: %d of %d sentence ids are in every language", where, len(order), n_all)
    return {code: [sentences[name] for name in order] for code, sentences in texts.items()}


# -- a file per language


def read_folder(folder: Path, codes: tuple[str, ...] | None, split: str) -> tuple[Columns, str]:
    """Read line-aligned files named by language code; the split is returned as its files name it."""
    paths, split = _files_of_split(folder, split)
    for code in paths if codes is None else ():
        try:
            get_language(code)
        except ValueError as error:
            raise ValueError(f"{paths[code]}: {error}; rename the file, or name the languages") from None
    return _line_by_line({code: paths[code] for code in _choose(paths, codes, folder)}), split


def _files_of_split(folder: Path, split: str) -> tuple[dict[str, Path], str]:
    """The files of a split by language code: in a folder of its name, by its suffix, or plain .txt."""
    for name in (split, "devtest") if split == "test" else (split,):
        for place, suffix in ((folder / name, name), (folder / name, "txt"), (folder, name)):
            if paths := _by_stem(place, suffix):
                return paths, name
    if paths := _by_stem(folder, "txt"):
        return paths, split
    others = [name for name in ("train", "dev", "test", "devtest") if _by_stem(folder, name)]
    if len(others) == 1:  # the folder is itself one split of FLORES
        return _by_stem(folder, others[0]), others[0]
    raise FileNotFoundError(
        f"{folder} has no files of the {split} split, such as {split}/eng_Latn.{split} or eng_Latn.txt"
    )


def _by_stem(folder: Path, suffix: str) -> dict[str, Path]:
    """Files of one suffix by the name before it; a README is no text."""
    paths = sorted(folder.glob(f"[!.]*.{suffix}"))
    return {path.stem: path for path in paths if path.is_file() and not path.stem.isupper()}


def read_ntrex(folder: Path, codes: tuple[str, ...] | None, split: str) -> tuple[Columns, str]:
    """Read NTREX as it is published: ``newstest2019-src.eng.txt``, ``newstest2019-ref.zho-CN.txt``."""
    files = _files(folder, "newstest2019-*.txt")
    paths = _by_language(files, lambda path: find_language(path.stem.rpartition(".")[2], likely=True))
    return _line_by_line({code: paths[code][-1] for code in _choose(paths, codes, folder)}), split


# -- tables


def read_table(path: Path, codes: tuple[str, ...] | None) -> Columns:
    """Read a .tsv, .csv, .jsonl or .parquet table that has a column per language."""
    readers = dict(zip(TABLES, (_read_separated, _read_separated, _read_jsonl, _read_parquet), strict=True))
    if path.suffix not in readers:
        raise ValueError(
            f"cannot read {path}: a table ends in {', '.join(TABLES)}, and anything else is a folder"
        )
    table, first_line = readers[path.suffix](path)
    found = ", ".join(map(str, table.columns))
    if codes is None:
        codes = tuple(column for column in table.columns if is_language(column))
        if not codes:
            raise ValueError(f"{path} has no column named by a language code; columns: {found}")
    missing = [code for code in codes if code not in table.columns]
    if missing:
        raise ValueError(f"{path} has no column {', '.join(missing)}; columns: {found}")
    columns = {code: table[code].tolist() for code in codes}
    for code, sentences in columns.items():
        _check_sentences(sentences, path, first_line, f" in column {code}")
    return columns


def _read_separated(path: Path) -> tuple[pd.DataFrame, int]:
    text = io.StringIO(_read_text(path), newline="")
    separator = "\t" if path.suffix == ".tsv" else ","
    try:
        with warnings.catch_warnings():
            # A row longer than the header is an unquoted separator, which pandas would cut off.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # "NA" and "null" are sentences too, and an empty line is an empty sentence, not nothing.
            table = pd.read_csv(
                text, sep=separator, dtype=str, na_filter=False, skip_blank_lines=False, index_col=False
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
        raise _unreadable(path, error) from None
    return table, 2


def _read_jsonl(path: Path) -> tuple[pd.DataFrame, int]:
    rows = []
    for number, line in enumerate(read_lines(path), 1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number}: not JSON: {error}") from None
        if not isinstance(row, dict):
            raise ValueError(f'{path}, line {number}: not an object such as {{"eng_Latn": "..."}}')
        rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row)
    return pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=object) for name in names}), 1


def _read_parquet(path: Path) -> tuple[pd.DataFrame, int]:
    try:
        return pd.read_parquet(path), 1
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None


# -- treebanks


def read_conllu(folder: Path, codes: tuple[str, ...] | None, split: str) -> tuple[Columns, str]:
    """Read CoNLL-U files, such as those of Parallel Universal Dependencies (PUD).

    The sentence is the line ``# text = ``, aligned by the line ``# sent_id = ``. The language is told by the
    name: ``eng_Latn.conllu``, or ``en_pud-ud-test.conllu`` as treebanks are published.
    """
    paths = _by_language(_files(folder, "*.conllu"), _treebank_language)
    texts = {}
    for code in _choose(paths, codes, folder):
        named = [path for path in paths[code] if path.stem.endswith(f"-{split}")] or paths[code]
        if len(named) > 1:
            raise ValueError(f"{folder} has {len(named)} files of {code}: {_listed(named)}; keep one")
        texts[code] = _treebank_sentences(named[0])
    return align(texts, str(folder)), split


def _treebank_language(path: Path) -> str | None:
    treebank = path.stem.partition("-ud")[0]
    if treebank.lower() == "zh_pud":
        return "zho_Hant"  # as PUD alone means it
    return find_language(treebank) or find_language(treebank.partition("_")[0], likely=True)


def _treebank_sentences(path: Path) -> Texts:
    sentences, name = {}, None
    for number, line in enumerate(read_lines(path), 1):
        key, is_comment, value = line.partition("=")
        field = key.strip("# ") if is_comment and line.startswith("#") else None
        if field == "sent_id":
            name = value.strip()
        elif field == "text":
            text = value.removeprefix(" ")
            if name is None or name in sentences or not text.strip():
                fault = "no sent_id above" if name is None else f"sent_id {name!r} a second time"
                raise ValueError(f"{path}, line {number}: {fault if text.strip() else 'empty sentence'}")
            sentences[name] = text
        elif not line.strip():
            name = None
    if not sentences:
        raise ValueError(f"{path} has no line '# text = '; is it CoNLL-U?")
    return sentences


# -- Bibles


def read_bible(folder: Path, codes: tuple[str, ...] | None, split: str) -> tuple[Columns, str]:
    """Read Bibles, aligned by verse; ``split`` is dev (Acts), test (John), train (the rest) or a book's code.

    Two forms: XML with a ``<seg id="b.GEN.1.1">`` per verse (christos-c/bible-corpus), and a line per verse
    beside a ``vref.txt`` of their names, ``GEN 1:1`` (BibleNLP/ebible). Verses that all have are kept.
    """
    references = next(_files(folder, "vref.txt"), None)
    if references is None:
        paths, verses_of = _by_language(_files(folder, "*.xml"), _bible_language), _xml_verses
    else:
        names = read_lines(references)
        files = (path for path in _files(references.parent, "*.txt") if path != references)
        paths, verses_of = _by_language(files, _ebible_language), lambda path: _lined_verses(path, names)
    held_out = {book for books in BIBLE_SPLITS.values() for book in books}
    texts = {}
    for code in _choose(paths, codes, folder):
        if len(paths[code]) > 1:
            _log.warning("%s has %s for %s; the first is read", folder, _listed(paths[code]), code)
        verses = verses_of(paths[code][0])
        books = {name.partition(" ")[0] for name in verses}
        wanted = BIBLE_SPLITS.get(split, books - held_out if split == "train" else (split,))
        texts[code] = {name: verse for name, verse in verses.items() if name.partition(" ")[0] in wanted}
        if not texts[code]:
            raise ValueError(
                f"{paths[code][0]} has nothing of {', '.join(sorted(wanted))}; it has "
                f"{', '.join(sorted(books)) or 'no verse'}"
            )
    return align(texts, str(folder)), split


def is_book(split: str) -> bool:
    """Whether a split is the code of a book of the Bible, such as ``"MRK"`` or ``"1CO"``."""
    return re.fullmatch(r"[1-4A-Z][A-Z]{2}", split) is not None


def _bible_language(path: Path) -> str | None:
    """Language by the file's name (a code, or its name in English), or by its header."""
    names = {language.name.lower(): code for code, language in LANGUAGES.items()}
    stem = path.stem.removesuffix("-NT").removesuffix("-PART")
    if code := find_language(stem) or names.get(stem.lower()):
        return code
    for element in _elements(path, "start"):
        if element.tag == "language":
            return find_language(element.get("iso639") or element.get("id") or "", likely=True)
        if element.tag == "body":
            break
    return None


def _xml_verses(path: Path) -> Texts:
    verses = {}
    for element in _elements(path, "end"):
        named = re.fullmatch(r"b\.(\w+)\.(\d+)\.(\d+)", element.get("id", ""))
        text = " ".join("".join(element.itertext()).split()) if element.tag == "seg" and named else ""
        if text:
            verses[f"{named[1].upper()} {named[2]}:{named[3]}"] = text
    return verses


def _elements(path: Path, event: str) -> Iterator[ElementTree.Element]:
    try:
        for _, element in ElementTree.iterparse(path, (event,)):
            yield element
    except ElementTree.ParseError as error:
        raise _unreadable(path, error) from None


def _ebible_language(path: Path) -> str | None:
    return find_language(path.stem) or find_language(path.stem.partition("-")[0], likely=True)


def _lined_verses(path: Path, names: list[str]) -> Texts:
    lines = read_lines(path)
    if len(lines) != len(names):
        raise ValueError(f"{path} has {len(lines)} lines, but vref.txt names {len(names)} verses")
    # A verse that was translated together with the one before it is marked, and is none of its own.
    verses = zip(names, lines, strict=True)
    return {name: line for name, line in verses if line.strip() not in ("", "<range>")}


# -- sentence pairs


def read_moses(folder: Path, codes: tuple[str, ...] | None, split: str) -> tuple[Columns, str]:
    """Read line-aligned pairs, ``name.en-fr.en`` and ``name.en-fr.fr``, as OPUS and Tatoeba publish them.

    Several pairs that share a language are joined on its sentences; a sentence that occurs again in its pair
    is taken the first time.
    """
    pairs = _moses_pairs(folder)
    chosen = _choose({code for pair in pairs for code in pair}, codes, folder)
    wanted = [pair for pair in pairs if set(pair) <= set(chosen)]
    pivot = next((code for code in chosen if sum(code in pair for pair in wanted) == len(chosen) - 1), None)
    if pivot is None:
        listed = ", ".join("-".join(pair) for pair in pairs)
        raise ValueError(
            f"{folder}: no language is paired with every other of {', '.join(chosen)}; the pairs are {listed}"
        )
    if len(wanted) == 1:
        return _moses_columns(pairs[wanted[0]]), split
    texts: dict[str, Texts] = {code: {} for code in chosen}
    for pair in (pair for pair in wanted if pivot in pair):
        columns = _moses_columns(pairs[pair])
        (other,) = set(pair) - {pivot}
        for sentence, translation in zip(columns[pivot], columns[other], strict=True):
            texts[other].setdefault(sentence, translation)
            texts[pivot].setdefault(sentence, sentence)
    return align(texts, str(folder)), split


def _moses_pairs(folder: Path) -> dict[tuple[str, ...], dict[str, Path]]:
    """Files of each pair of languages, by their codes in the order of codes."""
    sides: dict[tuple[str, ...], dict[str, Path]] = {}
    for path in sorted(folder.glob("[!.]*")):
        if found := re.fullmatch(r".*\.([A-Za-z_]+)-([A-Za-z_]+)\.([A-Za-z_]+)", path.name):
            pair = [find_language(name, likely=True) for name in found.group(1, 2)]
            if None not in pair and found[3] in found.group(1, 2):
                code = pair[found.group(1, 2).index(found[3])]
                sides.setdefault(tuple(sorted(pair)), {}).setdefault(code, path)
    return {pair: paths for pair, paths in sides.items() if len(paths) == 2}


def _moses_columns(paths: dict[str, Path]) -> Columns:
    columns = _line_by_line(paths, may_be_empty=True)
    rows = list(zip(*columns.values(), strict=True))
    kept = [row for row in rows if all(sentence.strip() for sentence in row)]
    if len(kept) < len(rows):
        where = _listed(paths.values())
        _log.warning("%s: %d pairs with an empty side are left out", where, len(rows) - len(kept))
    return {code: [row[side] for row in kept] for side, code in enumerate(columns)}


# -- what the readers share


def _files(folder: Path, pattern: str) -> Iterator[Path]:
    """Files below a folder whose name fits, in order; without hidden ones, and those of hidden folders."""
    for path in sorted(folder.rglob(pattern)):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden:
            yield path


def _by_language(paths: Iterable[Path], language: Callable[[Path], str | None]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in paths:
        if (code := language(path)) is not None:
            found.setdefault(code, []).append(path)
    return found


def _choose(there: Iterable[str], codes: tuple[str, ...] | None, folder: Path) -> tuple[str, ...]:
    known = sorted(there)
    missing = [code for code in codes or () if code not in known]
    if missing or not known:
        has = ", ".join(known) or "no file named by a language"
        raise FileNotFoundError(f"{folder} has no {', '.join(missing) or 'languages'}; it has {has}")
    return codes or tuple(known)


def _listed(paths: Iterable[Path]) -> str:
    return ", ".join(path.name for path in paths)


def _line_by_line(paths: dict[str, Path], may_be_empty: bool = False) -> Columns:
    """Lines of each language's file, which must be equally many."""
    columns = {code: read_lines(path) for code, path in paths.items()}
    first = next(iter(paths))
    for code, lines in columns.items():
        if not may_be_empty:
            _check_sentences(lines, paths[code], 1)
        if len(lines) != len(columns[first]):
            raise ValueError(
                f"{paths[code]} has {len(lines)} sentences, but {paths[first].name} has "
                f"{len(columns[first])}; line m of every file must have the same meaning"
            )
    return columns


def read_lines(path: Path) -> list[str]:
    """Lines end at \\n or \\r\\n only: a sentence may hold U+2028, which `str.splitlines` would cut."""
    text = _read_text(path).replace("\r\n", "\n").removesuffix("\n")
    return text.split("\n") if text else []


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        fault = f"0x{error.object[error.start]:02x} at byte {error.start}"
        raise ValueError(f"{path} is not valid UTF-8: {fault}; save it as UTF-8") from None


def _unreadable(path: Path, error: Exception) -> ValueError:
    return ValueError(f"cannot read {path}: {' '.join(str(error).split())}")


def _check_sentences(sentences: list, path: Path, first_line: int, column: str = "") -> None:
    for line, sentence in enumerate(sentences, first_line):
        if isinstance(sentence, str) and sentence.strip():
            continue
        if isinstance(sentence, str):
            fault = "empty sentence"
        elif sentence is None or sentence != sentence:
            fault = "no sentence"
        else:
            fault = f"{sentence!r}, which is not text,"
        raise ValueError(f"{path}, line {line}: {fault}{column}; every language needs every sentence")
