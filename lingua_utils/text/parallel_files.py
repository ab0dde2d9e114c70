"""Reading parallel text from files: as it was written, or an error that says where it is at fault."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from lingua_utils.text.languages import LANGUAGES, get_language

TABLES = (".tsv", ".csv", ".jsonl", ".parquet")

Columns = dict[str, list[str]]  # the sentences of each language, by code


def read_folder(folder: Path, codes: tuple[str, ...] | None, split: str) -> tuple[Columns, str]:
    """Read line-aligned files named by language code; the split is returned as its files name it."""
    paths, split = _language_files(folder, split)
    if codes is None:
        for code, path in paths.items():
            if code not in LANGUAGES:
                _refuse_unknown(code, path)
        codes = tuple(sorted(paths))
    missing = [code for code in codes if code not in paths]
    if missing:
        raise FileNotFoundError(f"{folder} has no file for {', '.join(missing)}; it has {_known(paths)}")
    columns = {code: _read_sentences(paths[code]) for code in codes}
    first, *others = codes
    for code in others:
        if len(columns[code]) != len(columns[first]):
            raise ValueError(
                f"{paths[code]} has {len(columns[code])} sentences, but {paths[first].name} has "
                f"{len(columns[first])}; line m of every file must have the same meaning"
            )
    return columns, split


def read_table(path: Path, codes: tuple[str, ...] | None) -> Columns:
    """Read a .tsv, .csv, .jsonl or .parquet table that has a column a language."""
    readers = {
        ".tsv": _read_separated,
        ".csv": _read_separated,
        ".jsonl": _read_jsonl,
        ".parquet": _read_parquet,
    }
    if path.suffix not in readers:
        raise ValueError(
            f"cannot read {path}: a table ends in {', '.join(TABLES)}, and anything else is a folder"
        )
    table, first_line = readers[path.suffix](path)
    found = ", ".join(map(str, table.columns))
    if codes is None:
        codes = tuple(column for column in table.columns if column in LANGUAGES)
        if not codes:
            raise ValueError(f"{path} has no column named by a language code; columns: {found}")
    missing = [code for code in codes if code not in table.columns]
    if missing:
        raise ValueError(f"{path} has no column {', '.join(missing)}; columns: {found}")
    columns = {code: table[code].tolist() for code in codes}
    for code, sentences in columns.items():
        _check_sentences(sentences, f"{path}", first_line, f" in column {code}")
    return columns


def _language_files(folder: Path, split: str) -> tuple[dict[str, Path], str]:
    """The files of a split by language code: in a folder of its name, by its suffix, or plain .txt."""
    wanted = (split, "devtest") if split == "test" else (split,)
    for name in wanted:
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
    """Files of one suffix by the name before it; READMEs and hidden files are no text."""
    paths = sorted(folder.glob(f"[!.]*.{suffix}"))
    return {path.stem: path for path in paths if path.is_file() and not path.stem.isupper()}


def _known(paths: Iterable[str]) -> str:
    return ", ".join(sorted(paths)) or "none"


def _refuse_unknown(code: str, path: Path) -> None:
    try:
        get_language(code)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; rename the file, or name the languages to use") from None


def _read_sentences(path: Path) -> list[str]:
    lines = read_lines(path)
    _check_sentences(lines, f"{path}", 1)
    return lines


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


def _check_sentences(sentences: list, where: str, first_line: int, column: str = "") -> None:
    for line, sentence in enumerate(sentences, first_line):
        if not isinstance(sentence, str):
            is_missing = sentence is None or sentence != sentence
            fault = "no sentence" if is_missing else f"{sentence!r}, which is not text,"
            raise ValueError(f"{where}, line {line}: {fault}{column}; every language needs every sentence")
        if not sentence.strip():
            raise ValueError(
                f"{where}, line {line}: empty sentence{column}; every language needs every sentence"
            )


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
        raise ValueError(f"cannot read {path}: {' '.join(str(error).split())}") from None
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
        raise ValueError(f"cannot read {path}: {' '.join(str(error).split())}") from None
