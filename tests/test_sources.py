"""Published corpora: the formats they come in, where they are looked for, and what is said without them."""

import io
import random

import pandas as pd
import pytest
from local_hub import LocalHub

from lingua_utils.text import published, readers
from lingua_utils.text.corpus import load_corpus
from lingua_utils.text.languages import DEFAULT_LANGUAGES, LANGUAGES, find_language

CONVERTED = "refs/convert/parquet"
FLORES_PLUS, PIN = "openlanguagedata/flores_plus", published.SOURCES["flores"].datasets[0].revisions[0]
SENTENCES = {
    "arb_Arab": ["جملة أولى.", "جملة ثانية.", "جملة ثالثة."],
    "eng_Latn": ["A first one.", "A second one.", "A third = one."],
    "zho_Hant": ["第一句。", "第二句。", "第三句。"],
}


@pytest.fixture
def local_hub(monkeypatch, tmp_path):
    """A Hub of its own for each test, an empty cache and an empty folder of data; nobody is logged in."""
    with LocalHub() as server:
        server.use(monkeypatch, tmp_path / "cache")
        monkeypatch.setenv("LINGUA_DATA", str(tmp_path / "data"))
        yield server


def parquet(**columns) -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame(columns).to_parquet(buffer)
    return buffer.getvalue()


def one_line(error) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


# -- names of languages


def test_every_name_that_data_sets_use_leads_to_its_language():
    for code, language in LANGUAGES.items():
        names = [code, code.replace("_", "-"), language.xlsum, language.xstory_cloze]
        assert {find_language(name) for name in names if name} == {code}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("cmn_Hans", "zho_Hans"),
        ("cmn_Hant", "zho_Hant"),
        ("zho-TW", "zho_Hant"),
        ("zh", "zho_Hans"),
        ("swa_Latn", "swh_Latn"),
        ("fil_Latn", "tgl_Latn"),
        ("pt", "por_Latn"),
        ("nobody", None),
    ],
)
def test_other_code_systems_meet_in_the_book_codes(name, code):
    assert find_language(name) == code


# -- treebanks


def conllu(sentences: list[str], ids: list[str]) -> str:
    block = (
        "# newdoc id = d\n# sent_id = {}\n# text = {}\n# text_en = no\n1\tword\t_\t_\t_\t_\t0\troot\t_\t_\n"
    )
    return "\n".join(block.format(*pair) for pair in zip(ids, sentences, strict=True)) + "\n"


@pytest.fixture
def treebank(tmp_path):
    """The sentences as a treebank of each language, whose files are in different orders."""
    folder = tmp_path / "treebank"
    ids = ["n01001011", "n01001013", "w01001001"]
    for name, code in {"ar": "arb_Arab", "en": "eng_Latn", "zh": "zho_Hant"}.items():
        pairs = list(zip(ids, SENTENCES[code], strict=True))
        if code == "arb_Arab":
            pairs.reverse()
        path = folder / f"UD_{name}-PUD" / f"{name}_pud-ud-test.conllu"
        path.parent.mkdir(parents=True)
        path.write_text(
            conllu([text for _, text in pairs], [sent_id for sent_id, _ in pairs]), encoding="utf-8"
        )
    return folder


def test_a_treebank_is_aligned_by_sentence_id_and_not_by_row(treebank):
    columns, _ = readers.read(treebank, None, "dev")
    assert columns == SENTENCES


def test_plain_files_and_a_treebank_of_the_same_text_are_the_same_corpus(treebank, tmp_path):
    plain = tmp_path / "plain"
    plain.mkdir()
    for code, texts in SENTENCES.items():
        (plain / f"{code}.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    assert load_corpus(treebank).fingerprint == load_corpus(plain).fingerprint


def test_sentences_that_a_treebank_lacks_are_left_out(treebank):
    path = next(treebank.rglob("en_*"))
    path.write_text(conllu(SENTENCES["eng_Latn"][1:], ["n01001013", "w01001001"]), encoding="utf-8")
    columns, _ = readers.read_conllu(treebank, ("eng_Latn", "zho_Hant"), "dev")
    assert columns == {code: SENTENCES[code][1:] for code in ("eng_Latn", "zho_Hant")}


def test_a_sentence_id_given_twice_is_named_with_its_line(treebank):
    path = next(treebank.rglob("en_*"))
    path.write_text(conllu(["One.", "Two."], ["same", "same"]), encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"en_pud-ud-test\.conllu, line 9: sent_id 'same' a second time"
    ) as error:
        readers.read_conllu(treebank, None, "dev")
    one_line(error)


def test_a_language_that_a_treebank_lacks_is_named_with_those_it_has(treebank):
    with pytest.raises(FileNotFoundError, match="has no fra_Latn; it has arb_Arab, eng_Latn, zho_Hant"):
        readers.read_conllu(treebank, ("eng_Latn", "fra_Latn"), "dev")


# -- Bibles

VERSES = {"ACT 1:1": "{} acts", "ACT 1:2": "{} more", "JHN 1:1": "{} word", "GEN 1:1": "{} beginning"}


def bible_xml(language: str, verses: dict[str, str]) -> str:
    segments = "".join(
        f'<seg id="b.{name.replace(" ", ".").replace(":", ".")}" type="verse">\n {text}\n</seg>'
        for name, text in verses.items()
    )
    header = f'<cesHeader><language iso639="{language}"/></cesHeader>'
    return (
        f'<?xml version="1.0" encoding="utf-8"?><cesDoc>{header}<text><body>{segments}</body></text></cesDoc>'
    )


@pytest.fixture
def bible(tmp_path):
    """A Bible in three languages: the French one lacks a verse and has them in another order."""
    folder = tmp_path / "bible"
    folder.mkdir()
    for name, language in {"English": "en", "French": "fr", "Anything": "vi"}.items():
        verses = {verse: text.format(language) for verse, text in VERSES.items()}
        if language == "fr":
            del verses["ACT 1:1"]
            verses = dict(reversed(verses.items()))
        (folder / f"{name}.xml").write_text(bible_xml(language, verses), encoding="utf-8")
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
    (tmp_path / "vref.txt").write_text("ACT 1:1\nACT 1:2\nACT 1:3\n")
    (tmp_path / "en-KJV.txt").write_text("one\ntwo\nthree\n")
    (tmp_path / "fr-LSG.txt").write_text("un\n<range>\ntrois\n")
    columns, _ = readers.read(tmp_path, None, "dev")
    assert columns == {"eng_Latn": ["one", "three"], "fra_Latn": ["un", "trois"]}


def test_a_book_that_is_not_there_is_named_with_those_that_are(bible):
    with pytest.raises(ValueError, match="has nothing of REV; it has ACT, GEN, JHN"):
        readers.read_bible(bible, None, "REV")


# -- sentence pairs and news tests


def moses(folder, pair: str, *sides: list[str]):
    for language, lines in zip(pair.split("-"), sides, strict=True):
        (folder / f"Tatoeba.{pair}.{language}").write_text("\n".join(lines) + "\n", encoding="utf-8")


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
        path = tmp_path / f"newstest2019-{name}.txt"
        path.write_text("\n".join(SENTENCES[code]) + "\n", encoding="utf-8")
    columns, _ = readers.read(tmp_path, ("eng_Latn", "zho_Hant"), "dev")
    assert columns == {code: SENTENCES[code] for code in ("eng_Latn", "zho_Hant")}


def test_plain_files_are_read_as_ever(tmp_path):
    (tmp_path / "eng_Latn.txt").write_text("One.\n")
    assert (
        readers.read(tmp_path, None, "dev")
        == readers.read_folder(tmp_path, None, "dev")
        == ({"eng_Latn": ["One."]}, "dev")
    )


# -- any language, and nothing hidden


def rare(folder, form: str, name: str, texts: list[str]):
    """A file of a rare language in one of the forms; `name` is its bare ISO code."""
    content = "\n".join(texts) + "\n"
    if form == "treebank":
        path, content = f"{name}_x-ud-test.conllu", conllu(texts, [f"s{i}" for i in range(len(texts))])
    elif form == "xml":
        path, content = f"Bible-{name}.xml", bible_xml(name, dict(zip(VERSES, texts, strict=False)))
    elif form == "lines":
        path, content = f"{name}-x.txt", content
        (folder / "vref.txt").write_text("\n".join(f"ACT 1:{i}" for i in range(len(texts))) + "\n")
    elif form == "ntrex":
        path = f"newstest2019-ref.{name}.txt"
    else:
        path = f"Corpus.chr-cop.{name}"
    (folder / path).write_text(content, encoding="utf-8")


@pytest.mark.parametrize("form", ["treebank", "xml", "lines", "ntrex", "moses"])
def test_every_format_takes_any_language_and_leaves_out_what_is_hidden(tmp_path, form):
    for name in ("cop", "chr"):
        rare(tmp_path, form, name, [f"{name} 1", f"{name} 2"])
    for place in (".git", ".ipynb_checkpoints"):
        (tmp_path / place).mkdir()
        rare(tmp_path / place, form, "chr", ["old 1", "old 2", "old 3"])
    for stray in (".idea.xml", ".old.conllu"):
        (tmp_path / stray).write_text("<project/>")
    columns, _ = readers.read(tmp_path, None, "dev")
    assert columns == {"chr_Cher": ["chr 1", "chr 2"], "cop_Copt": ["cop 1", "cop 2"]}


def test_a_broken_xml_file_is_named(tmp_path):
    (tmp_path / "Anything.xml").write_text("<cesDoc>")
    with pytest.raises(ValueError, match=r"cannot read .*Anything\.xml: no element found") as error:
        readers.read(tmp_path, None, "dev")
    one_line(error)


# -- from the Hub


def flores_plus(local_hub, revision=PIN, **settings):
    names = {"arb_Arab": "arb_Arab", "eng_Latn": "eng_Latn", "zho_Hant": "cmn_Hant"}
    contents = {}
    for code, name in names.items():
        order = [2, 1, 0] if code == "zho_Hant" else [0, 1, 2]
        for split in ("dev", "devtest"):
            texts = [f"{split} {SENTENCES[code][i]}" for i in order]
            contents[f"{split}/{name}.parquet"] = parquet(id=order, text=texts)
    local_hub.add(FLORES_PLUS, contents, revision, kind="dataset", **settings)


def test_flores_plus_is_aligned_by_id_under_its_own_codes(local_hub):
    flores_plus(local_hub)
    columns, _ = published.read("flores", tuple(SENTENCES), "dev")
    assert columns == {code: [f"dev {text}" for text in texts] for code, texts in SENTENCES.items()}
    columns, _ = published.read("flores", ("eng_Latn", "zho_Hant"), "test")
    assert columns["zho_Hant"][0] == f"devtest {SENTENCES['zho_Hant'][0]}"


def test_json_lines_are_read_where_a_repository_has_no_parquet(local_hub):
    rows = {
        code: pd.DataFrame({"id": range(3), "text": SENTENCES[code]}) for code in ("eng_Latn", "arb_Arab")
    }
    contents = {
        f"dev/{code}.jsonl": table.to_json(orient="records", lines=True) for code, table in rows.items()
    }
    local_hub.add(FLORES_PLUS, {path: text.encode() for path, text in contents.items()}, PIN, kind="dataset")
    columns, _ = published.read("flores", ("arb_Arab", "eng_Latn"), "dev")
    assert columns == {code: SENTENCES[code] for code in ("arb_Arab", "eng_Latn")}


def test_gated_flores_falls_back_to_the_open_one_and_says_so(local_hub, caplog):
    flores_plus(local_hub, gated=True)
    contents = {
        f"{code}/dev/0000.parquet": parquet(id=[1, 2, 3], sentence=texts) for code, texts in SENTENCES.items()
    }
    local_hub.add("facebook/flores", contents, CONVERTED, kind="dataset")
    columns, _ = published.read("flores", tuple(SENTENCES), "dev")
    assert columns == SENTENCES
    assert "not from openlanguagedata/flores_plus" in caplog.text and "is gated" in caplog.text


def test_then_to_a_folder(local_hub, tmp_path):
    flores_plus(local_hub, gated=True)
    folder = tmp_path / "data" / "flores" / "dev"
    folder.mkdir(parents=True)
    for code, texts in SENTENCES.items():
        (folder / f"{code}.dev").write_text("\n".join(texts) + "\n", encoding="utf-8")
    columns, split = published.read("flores", tuple(SENTENCES), "dev")
    assert (columns, split) == (SENTENCES, "dev")


def test_when_nothing_works_the_message_tells_all_that_was_tried(local_hub, tmp_path):
    flores_plus(local_hub, gated=True)
    with pytest.raises(PermissionError) as error:
        published.read("flores", tuple(SENTENCES), "dev")
    message = one_line(error)
    for part in (
        FLORES_PLUS,
        "hf auth login",
        "facebook/flores",
        str(tmp_path / "data" / "flores"),
        "Instead, unpack",
    ):
        assert part in message


def test_without_a_network_the_message_says_so(local_hub):
    local_hub.stop()
    with pytest.raises(ConnectionError, match=r"cannot reach the Hub.*Instead") as error:
        published.read("belebele", ("eng_Latn", "fra_Latn"), "dev")
    one_line(error)


def test_a_missing_split_is_named_with_those_that_there_are(local_hub):
    flores_plus(local_hub)
    with pytest.raises(ValueError, match="has no train split; it has dev, devtest"):
        published.read("flores", ("eng_Latn", "arb_Arab"), "train")


def test_a_missing_language_is_named_with_those_that_there_are(local_hub):
    flores_plus(local_hub)
    with pytest.raises(ValueError, match=r"has no fra_Latn; it has arb_Arab, eng_Latn, zho_Hant"):
        published.read("flores", ("eng_Latn", "fra_Latn"), "dev")


def test_a_missing_column_is_named_with_those_that_there_are(local_hub):
    local_hub.add(FLORES_PLUS, {"dev/eng_Latn.parquet": parquet(id=[1], words=["a"])}, PIN, kind="dataset")
    with pytest.raises(ValueError, match="has no column 'text' for eng_Latn; it has id, words"):
        published.read("flores", ("eng_Latn",), "dev")


def test_a_script_is_never_fetched(local_hub):
    local_hub.add("facebook/belebele", {"belebele.py": b"raise SystemExit"}, CONVERTED, kind="dataset")
    with pytest.raises(FileNotFoundError, match="has no tables"):
        published.read("belebele", ("eng_Latn", "fra_Latn"), "dev")
    assert local_hub.downloads("belebele.py") == []


def story(language: str, ids=("a", "b"), right=(1, 2)) -> bytes:
    parts = {f"input_sentence_{i}": [f"{language} {name} {i}" for name in ids] for i in (1, 2, 3, 4)}
    endings = {f"sentence_quiz{i}": [f"{language} {name} ending {i}" for name in ids] for i in (1, 2)}
    return parquet(story_id=list(ids), **parts, **endings, answer_right_ending=list(right))


def test_xstorycloze_gives_the_sentences_and_right_endings_of_each_story(local_hub):
    contents = {
        f"{name}/{split}/0000.parquet": story(name) for name in ("en", "zh") for split in ("train", "eval")
    }
    local_hub.add("juletxara/xstory_cloze", contents, CONVERTED, kind="dataset")
    columns, _ = published.read("xstorycloze", None, "dev")
    assert list(columns) == ["eng_Latn", "zho_Hans"]
    assert columns["zho_Hans"] == [
        *("zh a 1", "zh a 2", "zh a 3", "zh a 4", "zh a ending 1"),
        *("zh b 1", "zh b 2", "zh b 3", "zh b 4", "zh b ending 2"),
    ]


def test_stories_without_common_ids_are_aligned_by_row(local_hub):
    contents = {"en/eval/0000.parquet": story("en"), "zh/eval/0000.parquet": story("zh", ids=("c", "d"))}
    local_hub.add("juletxara/xstory_cloze", contents, CONVERTED, kind="dataset")
    columns, _ = published.read("xstorycloze", None, "test")
    assert [text[3:] for text in columns["eng_Latn"]][:4] == ["a 1", "a 2", "a 3", "a 4"]
    assert columns["zho_Hans"][0] == "zh c 1"


def test_belebele_gives_each_passage_once(local_hub):
    def passages(name):
        return parquet(link=["u", "u", "v"], flores_passage=[f"{name} u", f"{name} u", f"{name} v"])

    contents = {f"{code}/test/0000.parquet": passages(code) for code in DEFAULT_LANGUAGES}
    local_hub.add("facebook/belebele", contents, CONVERTED, kind="dataset")
    columns, _ = published.read("belebele", None, "dev")
    assert columns == {code: [f"{code} u", f"{code} v"] for code in DEFAULT_LANGUAGES}


def test_ntrex_is_one_table_with_a_column_a_language(local_hub):
    table = parquet(id=["x", "y", "z"], **{"swa_Latn": ["a", "b", "c"], "ind_Latn": ["d", "e", "f"]})
    local_hub.add("mteb/NTREX", {"data/test-00000-of-00001.parquet": table}, "main", kind="dataset")
    columns, _ = published.read("ntrex", None, "dev")
    assert columns == {"ind_Latn": ["d", "e", "f"], "swh_Latn": ["a", "b", "c"]}


def test_xlsum_is_text_for_perplexity_and_not_parallel(local_hub):
    texts = [f"text {i}" for i in random.Random(0).sample(range(100), 5)]
    contents = {
        f"{name}/test/0000.parquet": parquet(id=list("abcde"), text=[f"{name} {text}" for text in texts])
        for name in ("english", "chinese_traditional")
    }
    local_hub.add("csebuetnlp/xlsum", contents, CONVERTED, kind="dataset")
    found = published.monolingual("xlsum", ("eng_Latn", "zho_Hant"), n_texts=2)
    assert found == {
        "eng_Latn": [f"english {text}" for text in texts[:2]],
        "zho_Hant": [f"chinese_traditional {text}" for text in texts[:2]],
    }
    with pytest.raises(ValueError, match="not parallel"):
        published.read("xlsum", None, "dev")


def test_a_corpus_is_loaded_by_its_name(local_hub):
    flores_plus(local_hub)
    corpus = load_corpus("flores", ["eng_Latn", "zho_Hant"], n_sentences=2)
    assert (corpus.name, corpus.split, corpus.n_sentences) == ("flores", "dev", 2)
    assert corpus.texts[0] == ("dev A first one.", "dev A second one.")


def test_a_book_is_a_split_of_a_bible_only(bible):
    assert load_corpus(bible, ["eng_Latn", "vie_Latn"], split="ACT").texts[0] == ("en acts", "en more")
    with pytest.raises(ValueError, match="unknown split 'ACT'"):
        load_corpus("world", split="ACT")


@pytest.mark.parametrize("name", ["bible", "pud", "tatoeba"])
def test_what_the_hub_does_not_have_says_where_to_get_it(name, local_hub, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such folder\. Instead, ") as error:
        published.read(name, None, "dev")
    assert str(tmp_path / "data" / name) in one_line(error)


def test_a_folder_of_plain_files_serves_any_source(local_hub, tmp_path):
    folder = tmp_path / "data" / "pud"
    folder.mkdir(parents=True)
    for code, texts in SENTENCES.items():
        (folder / f"{code}.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    assert (
        published.read("pud", None, "dev") == readers.read_folder(folder, None, "dev") == (SENTENCES, "dev")
    )
