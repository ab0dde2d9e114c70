"""Parallel text as it is published: treebanks, Bibles, news tests and sentence pairs.

Every reader takes a folder, the codes of the languages wanted (None: all there are) and a split, and returns
the sentences of each language by code, and the split. Where sentences have ids, they are aligned by them.
"""

from __future__ import annotations

import logging
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from lingua_utils.text.languages import LANGUAGES, find_language
from lingua_utils.text.parallel_files import Columns, read_folder, read_lines

_log = logging.getLogger(__name__)

# A Bible's splits are books, so that no passage is in two. These lie in the New Testament, which most
# languages have; Acts tells nothing that the Gospels tell, and John the least of what the other three do.
BIBLE_SPLITS = {"dev": ("ACT",), "test": ("JHN",)}

_MOSES = re.compile(r".*\.([A-Za-z_]+)-([A-Za-z_]+)\.([A-Za-z_]+)")

Texts = dict[str, str]  # the sentences of one language by id


def read(folder: Path, codes: tuple[str, ...] | None, split: str) -> tuple[Columns, str]:
    """Read a folder in whichever format it is; plain files, a language each, are the default."""
    return _reader(folder)(folder, codes, split)


def _reader(folder: Path) -> Callable[[Path, tuple[str, ...] | None, str], tuple[Columns, str]]:
    if any(folder.rglob("*.conllu")):
        return read_conllu
    if any(folder.rglob("vref.txt")) or any(folder.rglob("*.xml")):
        return read_bible
    if any(folder.rglob("newstest2019-*.txt")):
        return read_ntrex
    if _moses_pairs(folder):
        return read_moses
    return read_folder


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


# -- treebanks


def read_conllu(folder: Path, codes: tuple[str, ...] | None, split: str) -> tuple[Columns, str]:
    """Read CoNLL-U files, such as those of Parallel Universal Dependencies (PUD).

    The sentence is the line ``# text = ``, aligned by the line ``# sent_id = ``. The language is told by the
    name: ``eng_Latn.conllu``, or ``en_pud-ud-test.conllu`` as treebanks are published.
    """
    paths = _by_language(folder.rglob("*.conllu"), _treebank_language)
    chosen = _choose(paths, codes, folder)
    texts = {}
    for code in chosen:
        named = [path for path in paths[code] if path.stem.endswith(f"-{split}")] or paths[code]
        if len(named) > 1:
            raise ValueError(f"{folder} has {len(named)} files of {code}: {_listed(named)}; keep one")
        texts[code] = _treebank_sentences(named[0])
    return align(texts, str(folder)), split


def _treebank_language(path: Path) -> str | None:
    treebank = path.stem.partition("-ud")[0]
    language, _, name = treebank.partition("_")
    return find_language(treebank) or find_language(language, "pud" if name.lower() == "pud" else None)


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

    Two forms: XML with a ``<seg id="b.GEN.1.1">`` a verse (christos-c/bible-corpus), and a line a verse
    beside a ``vref.txt`` of their names, ``GEN 1:1`` (BibleNLP/ebible). Verses that all have are kept.
    """
    references = next(folder.rglob("vref.txt"), None)
    if references is None:
        paths, read = _by_language(folder.rglob("*.xml"), _bible_language), _xml_verses
    else:
        names = read_lines(references)
        files = (path for path in references.parent.rglob("*.txt") if path != references)
        paths, read = _by_language(files, _ebible_language), lambda path: _lined_verses(path, names)
    chosen = _choose(paths, codes, folder)
    held_out = {book for books in BIBLE_SPLITS.values() for book in books}
    texts = {}
    for code in chosen:
        if len(paths[code]) > 1:
            _log.warning("%s has %s for %s; the first is read", folder, _listed(paths[code]), code)
        verses = read(paths[code][0])
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
    return find_language(stem) or names.get(stem.lower()) or find_language(_header_language(path))


def _header_language(path: Path) -> str:
    for _, element in ElementTree.iterparse(path, events=("start",)):
        if element.tag == "language":
            return element.get("iso639") or element.get("id") or ""
        if element.tag == "body":
            break
    return ""


def _ebible_language(path: Path) -> str | None:
    return find_language(path.stem) or find_language(path.stem.partition("-")[0])


def _xml_verses(path: Path) -> Texts:
    verses = {}
    for _, element in ElementTree.iterparse(path):
        named = re.fullmatch(r"b\.(\w+)\.(\d+)\.(\d+)", element.get("id", ""))
        text = " ".join("".join(element.itertext()).split()) if element.tag == "seg" and named else ""
        if text:
            verses[f"{named[1].upper()} {named[2]}:{named[3]}"] = text
    return verses


def _lined_verses(path: Path, names: list[str]) -> Texts:
    lines = read_lines(path)
    if len(lines) != len(names):
        raise ValueError(f"{path} has {len(lines)} lines, but vref.txt names {len(names)} verses")
    # A verse that was translated together with the one before it is marked, and is none of its own.
    return {
        name: line
        for name, line in zip(names, lines, strict=True)
        if line.strip() and line.strip() != "<range>"
    }


# -- news tests


def read_ntrex(folder: Path, codes: tuple[str, ...] | None, split: str) -> tuple[Columns, str]:
    """Read NTREX as it is published: ``newstest2019-src.eng.txt``, ``newstest2019-ref.zho-CN.txt``."""
    paths = _by_language(
        folder.rglob("newstest2019-*.txt"), lambda path: find_language(path.stem.rpartition(".")[2])
    )
    columns = {code: read_lines(paths[code][-1]) for code in _choose(paths, codes, folder)}
    lengths = {code: len(lines) for code, lines in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{folder}: unequal numbers of lines, {lengths}; line m must have the same meaning")
    return columns, split


# -- sentence pairs


def read_moses(folder: Path, codes: tuple[str, ...] | None, split: str) -> tuple[Columns, str]:
    """Read line-aligned pairs, ``name.en-fr.en`` and ``name.en-fr.fr``, as OPUS and Tatoeba publish them.

    Several pairs that share a language are joined on its sentences; a sentence that occurs again in its pair
    is taken the first time.
    """
    pairs = _moses_pairs(folder)
    languages = sorted({code for pair in pairs for code in pair})
    chosen = _choose({code: [] for code in languages}, codes, folder)
    wanted = [pair for pair in pairs if set(pair) <= set(chosen)]
    pivot = next((code for code in chosen if sum(code in pair for pair in wanted) == len(chosen) - 1), None)
    if pivot is None:
        listed = ", ".join("-".join(pair) for pair in pairs)
        raise ValueError(
            f"{folder}: no language is paired with every other of {', '.join(chosen)}; the pairs are {listed}"
        )
    if len(wanted) == 1:
        return dict(zip(wanted[0], _moses_lines(pairs[wanted[0]]), strict=True)), split
    texts: dict[str, Texts] = {code: {} for code in chosen}
    for pair in (pair for pair in wanted if pivot in pair):
        lines = dict(zip(pair, _moses_lines(pairs[pair]), strict=True))
        (other,) = set(pair) - {pivot}
        for sentence, translation in zip(lines[pivot], lines[other], strict=True):
            texts[other].setdefault(sentence, translation)
            texts[pivot].setdefault(sentence, sentence)
    return align(texts, str(folder)), split


def _moses_lines(paths: tuple[Path, Path]) -> tuple[list[str], list[str]]:
    first, second = map(read_lines, paths)
    if len(first) != len(second):
        raise ValueError(
            f"{paths[0]} has {len(first)} sentences, but {paths[1].name} has {len(second)}; line m of both "
            "must have the same meaning"
        )
    kept = [(a, b) for a, b in zip(first, second, strict=True) if a.strip() and b.strip()]
    if len(kept) < len(first):
        _log.warning("%s: %d pairs with an empty side are left out", paths[0].name, len(first) - len(kept))
    return tuple(map(list, zip(*kept, strict=True))) or ([], [])


def _moses_pairs(folder: Path) -> dict[tuple[str, str], tuple[Path, Path]]:
    """Files of each pair of languages, by their codes in the order of codes."""
    sides: dict[tuple[str, str], dict[str, Path]] = {}
    for path in sorted(folder.glob("*")):
        if found := _MOSES.fullmatch(path.name):
            pair = tuple(find_language(name) for name in found.group(1, 2))
            if None not in pair and found[3] in found.group(1, 2):
                sides.setdefault(tuple(sorted(pair)), {}).setdefault(find_language(found[3]), path)
    return {pair: (paths[pair[0]], paths[pair[1]]) for pair, paths in sides.items() if len(paths) == 2}


# -- what the readers share


def _by_language(paths: Iterable[Path], language: Callable[[Path], str | None]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in sorted(paths):
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
