"""Text from files: each format that corpora come in, aligned by what they have in common."""

from collections.abc import Sequence

import pytest

from lingua_utils.text import readers
from lingua_utils.text.corpus import load_corpus

SENTENCES = {
    "arb_Arab": ["جملة أولى.", "جملة ثانية.", "جملة ثالثة."],
    "eng_Latn": ["A first one.", "A second one.", "A third = one."],
    "zho_Hant": ["第一句。", "第二句。", "第三句。"],
}


def write(path, lines: list[str]):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def plain_files(folder, suffix: str = "txt"):
    for code, texts in SENTENCES.items():
        write(folder / f"{code}.{suffix}", texts)
    return folder


# -- treebanks


def conllu(ids: Sequence[str], sentences: Sequence[str]) -> list[str]:
    block = (
        "# newdoc id = d\n# sent_id = {}\n# text = {}\n# text_en = no\n1\tword\t_\t_\t_\t_\t0\troot\t_\t_\n"
    )
    return [block.format(*pair) for pair in zip(ids, sentences, strict=True)]


@pytest.fixture
def treebank(tmp_path):
    """The sentences as a treebank of each language, whose files are in different orders."""
    folder = tmp_path / "treebank"
    ids = ["n01001011", "n01001013", "w01001001"]
    for name, code in {"ar": "arb_Arab", "en": "eng_Latn", "zh": "zho_Hant"}.items():
        pairs = list(zip(ids, SENTENCES[code], strict=True))
        if code == "arb_Arab":
            pairs.reverse()
        write(folder / f"UD_{name}-PUD" / f"{name}_pud-ud-test.conllu", conllu(*zip(*pairs, strict=True)))
    return folder


def test_a_treebank_is_aligned_by_sentence_id_and_not_by_row(treebank):
    columns, _ = readers.read(treebank, None, "dev")
    assert columns == SENTENCES


def test_plain_files_and_a_treebank_of_the_same_text_are_the_same_corpus(treebank, tmp_path):
    assert load_corpus(treebank).fingerprint == load_corpus(plain_files(tmp_path / "plain")).fingerprint


def test_sentences_that_a_treebank_lacks_are_left_out(treebank):
    write(next(treebank.rglob("en_*")), conllu(["n01001013", "w01001001"], SENTENCES["eng_Latn"][1:]))
    columns, _ = readers.read_conllu(treebank, ("eng_Latn", "zho_Hant"), "dev")
    assert columns == {code: SENTENCES[code][1:] for code in ("eng_Latn", "zho_Hant")}


def test_a_sentence_id_given_twice_is_named_with_its_line(treebank):
    write(next(treebank.rglob("en_*")), conllu(["same", "same"], ["One.", "Two."]))
    with pytest.raises(ValueError, match=r"^[^\n]*conllu, line 9: sent_id 'same' a second time$"):
        readers.read_conllu(treebank, None, "dev")


def test_a_language_that_a_treebank_lacks_is_named_with_those_it_has(treebank):
    with pytest.raises(FileNotFoundError, match="has no fra_Latn; it has arb_Arab, eng_Latn, zho_Hant"):
        readers.read_conllu(treebank, ("eng_Latn", "fra_Latn"), "dev")


# -- Bibles

VERSES = {"ACT 1:1": "{} acts", "ACT 1:2": "{} more", "JHN 1:1": "{} word", "GEN 1:1": "{} beginning"}


def bible_xml(language: str, verses: dict[str, str]) -> list[str]:
    head = f'<?xml version="1.0"?><cesDoc><cesHeader><language iso639="{language}"/></cesHeader>'
    ids = (name.replace(" ", ".").replace(":", ".") for name in verses)
    segments = [
        f'<seg id="b.{i}" type="verse">\n {text}\n</seg>'
        for i, text in zip(ids, verses.values(), strict=True)
    ]
    return [head, "<text><body>", *segments, "</body></text></cesDoc>"]


@pytest.fixture
def bible(tmp_path):
    """A Bible in three languages: the French one lacks a verse and has them in another order."""
    folder = tmp_path / "bible"
    for name, language in {"English": "en", "French": "fr", "Anything": "vi"}.items():
        verses = {verse: text.format(language) for verse, text in VERSES.items()}
        if language == "fr":
            del verses["ACT 1:1"]
            verses = dict(reversed(verses.items()))
        write(folder / f"{name}.xml", bible_xml(language, verses))
    return folder


@pytest.mark.parametrize(
    ("split", "verses"),
    [("dev", ["more"]), ("test", ["word"]), ("train", ["beginning"]), ("GEN", ["beginning"])],
)
def test_a_bible_is_aligned_by_verse_with_books_as_splits(bible, split, verses):
    columns, _ = readers.read(bible, None, split)
    wanted = {"eng_Latn": "en", "fra_Latn": "fr", "vie_Latn": "vi"}
    assert columns == {code: [f"{name} {verse}" for verse in verses] for code, name in wanted.items()}


def test_no_verse_is_in_two_splits(bible):
    read = [
        set(readers.read_bible(bible, ("eng_Latn",), split)[0]["eng_Latn"])
        for split in ("train", "dev", "test")
    ]
    assert sum(map(len, read)) == len(set.union(*read)) == len(VERSES)


def test_lined_verses_are_aligned_by_their_references(tmp_path):
    write(tmp_path / "vref.txt", ["ACT 1:1", "ACT 1:2", "ACT 1:3"])
    write(tmp_path / "en-KJV.txt", ["one", "two", "three"])
    write(tmp_path / "fr-LSG.txt", ["un", "<range>", "trois"])
    columns, _ = readers.read(tmp_path, None, "dev")
    assert columns == {"eng_Latn": ["one", "three"], "fra_Latn": ["un", "trois"]}


def test_a_book_that_is_not_there_is_named_with_those_that_are(bible):
    with pytest.raises(ValueError, match="has nothing of REV; it has ACT, GEN, JHN"):
        readers.read_bible(bible, None, "REV")


def test_a_book_is_a_split_of_a_bible_only(bible):
    assert load_corpus(bible, ["eng_Latn", "vie_Latn"], split="ACT").texts[0] == ("en acts", "en more")
    with pytest.raises(ValueError, match="unknown split 'ACT'"):
        load_corpus("world", split="ACT")


# -- sentence pairs and news tests


def moses(folder, pair: str, *sides: list[str]):
    for language, lines in zip(pair.split("-"), sides, strict=True):
        write(folder / f"Tatoeba.{pair}.{language}", lines)


def test_one_pair_of_files_is_a_corpus_of_two_languages(tmp_path):
    moses(tmp_path, "en-zh_TW", SENTENCES["eng_Latn"], SENTENCES["zho_Hant"])
    columns, _ = readers.read(tmp_path, None, "dev")
    assert columns == {code: SENTENCES[code] for code in ("eng_Latn", "zho_Hant")}


def test_pairs_that_share_a_language_are_joined_on_its_sentences(tmp_path):
    moses(tmp_path, "ar-en", SENTENCES["arb_Arab"], SENTENCES["eng_Latn"])
    reordered = [2, 0, 2]
    moses(tmp_path, "en-fr", [SENTENCES["eng_Latn"][i] for i in reordered], ["trois", "un", "autre"])
    columns, _ = readers.read_moses(tmp_path, None, "dev")
    rows = set(zip(*(columns[code] for code in ("arb_Arab", "eng_Latn", "fra_Latn")), strict=True))
    assert rows == {
        (SENTENCES["arb_Arab"][i], SENTENCES["eng_Latn"][i], french)
        for i, french in ((0, "un"), (2, "trois"))
    }


def test_pairs_of_unequal_length_are_refused_with_both_counts(tmp_path):
    moses(tmp_path, "en-fr", ["one", "two"], ["un"])
    with pytest.raises(ValueError, match=r"Tatoeba\.en-fr\.fr has 1 .* Tatoeba\.en-fr\.en has 2"):
        readers.read_moses(tmp_path, None, "dev")


def test_ntrex_is_read_as_it_is_published(tmp_path):
    for name, code in {"src.eng": "eng_Latn", "ref.arb": "arb_Arab", "ref.zho-TW": "zho_Hant"}.items():
        write(tmp_path / f"newstest2019-{name}.txt", SENTENCES[code])
    columns, _ = readers.read(tmp_path, ("eng_Latn", "zho_Hant"), "dev")
    assert columns == {code: SENTENCES[code] for code in ("eng_Latn", "zho_Hant")}


def test_plain_files_are_read_as_ever(tmp_path):
    assert readers.read(plain_files(tmp_path), None, "dev") == (SENTENCES, "dev")


# -- any language, and nothing hidden


def write_form(folder, form: str, language: str, texts: list[str]):
    """The file of a language, told by its bare ISO code, in one of the forms that there are."""
    ids = [f"ACT 1:{i}" for i in range(len(texts))]
    if form == "treebank":
        write(folder / f"{language}_x-ud-test.conllu", conllu(ids, texts))
    elif form == "xml":
        write(folder / f"Bible-{language}.xml", bible_xml(language, dict(zip(ids, texts, strict=True))))
    elif form == "lines":
        write(folder / "vref.txt", ids)
        write(folder / f"{language}-x.txt", texts)
    else:
        name = {"ntrex": "newstest2019-ref.{}.txt", "moses": "Corpus.chr-cop.{}"}[form]
        write(folder / name.format(language), texts)


@pytest.mark.parametrize("form", ["treebank", "xml", "lines", "ntrex", "moses"])
def test_every_format_takes_any_language_and_leaves_out_what_is_hidden(tmp_path, form):
    for language in ("cop", "chr"):
        write_form(tmp_path, form, language, [f"{language} 1", f"{language} 2"])
    for place in (".git", ".ipynb_checkpoints"):
        write_form(tmp_path / place, form, "chr", ["old 1", "old 2", "old 3"])
    for stray in (".idea/workspace.xml", ".old.conllu"):
        write(tmp_path / stray, ["<project/>"])
    columns, _ = readers.read(tmp_path, None, "dev")
    assert columns == {"chr_Cher": ["chr 1", "chr 2"], "cop_Copt": ["cop 1", "cop 2"]}


def test_a_broken_xml_file_is_named(tmp_path):
    write(tmp_path / "Anything.xml", ["<cesDoc>"])
    with pytest.raises(
        ValueError, match=r"^cannot read .*Anything\.xml: no element found: line 2, column 0$"
    ):
        readers.read(tmp_path, None, "dev")
