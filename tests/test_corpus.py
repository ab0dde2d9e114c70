import json
import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lingua_utils.text import corpus as corpus_module
from lingua_utils.text import phrasebook, world
from lingua_utils.text.corpus import ParallelCorpus, load_corpus
from lingua_utils.text.languages import DEFAULT_LANGUAGES, LANGUAGES

ENGLISH = ["One.", "Two, too.", "NA"]
FRENCH = ["Un.", "Deux « aussi ».", "null"]
HINDI = ["एक।", "दो भी।", "कोई नहीं"]
TEXTS = {"eng_Latn": ENGLISH, "fra_Latn": FRENCH, "hin_Deva": HINDI}


def write_folder(folder, texts, suffix="txt", end="\n"):
    folder.mkdir(parents=True, exist_ok=True)
    for code, sentences in texts.items():
        (folder / f"{code}.{suffix}").write_bytes("".join(sentence + end for sentence in sentences).encode())
    return folder


def write_table(path, texts):
    table = pd.DataFrame(texts)
    if path.suffix == ".parquet":
        table.to_parquet(path)
    elif path.suffix == ".jsonl":
        table.to_json(path, orient="records", lines=True, force_ascii=False)
    else:
        table.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return path


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "small", TEXTS)


def refusal(kind, *arguments, **options):
    with pytest.raises(kind) as caught:
        load_corpus(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


# What is read


def test_a_folder_is_indexed_by_language_then_sentence(folder):
    corpus = load_corpus(folder)
    assert corpus.name == "small" and corpus.languages == ("eng_Latn", "fra_Latn", "hin_Deva")
    assert corpus.texts == (tuple(ENGLISH), tuple(FRENCH), tuple(HINDI))
    assert (corpus.n_languages, corpus.n_sentences, corpus.kinds, corpus.n_repeated) == (3, 3, None, 0)


def test_languages_come_in_the_order_asked_for(folder):
    assert load_corpus(str(folder), "hin_Deva, eng_Latn").texts == (tuple(HINDI), tuple(ENGLISH))


def test_the_first_sentences_are_taken_and_0_or_none_takes_all(folder):
    assert load_corpus(folder, n_sentences=2).texts[0] == tuple(ENGLISH[:2])
    for everything in (0, None):
        assert load_corpus(folder, n_sentences=everything).n_sentences == 3
        assert load_corpus("world", "eng_Latn fra_Latn", everything).n_sentences == 200


@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".jsonl", ".parquet"])
def test_a_table_has_the_fingerprint_of_the_folder_with_its_content(folder, tmp_path, suffix):
    table = load_corpus(write_table(tmp_path / f"elsewhere{suffix}", TEXTS))
    assert table.texts == load_corpus(folder).texts
    assert table.fingerprint == load_corpus(folder).fingerprint
    assert table.name == "elsewhere"


sentences = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), min_size=1, max_size=30
)
sentences = sentences.filter(lambda text: text.strip() and not text.startswith("\ufeff"))


@given(st.lists(st.tuples(sentences, sentences), min_size=2, max_size=6))
@settings(max_examples=60)
def test_any_text_survives_every_format(tmp_path_factory, rows):
    place = tmp_path_factory.mktemp("formats")
    texts = dict(zip(("eng_Latn", "hin_Deva"), map(list, zip(*rows, strict=True)), strict=True))
    expected = tuple(map(tuple, texts.values()))
    assert load_corpus(write_folder(place / "lines", texts)).texts == expected
    for suffix in (".tsv", ".csv", ".jsonl", ".parquet"):
        assert load_corpus(write_table(place / f"table{suffix}", texts)).texts == expected, suffix


@pytest.mark.parametrize("broken_by_splitlines", ["\u2028", "\x0b", "\x0c", "\x85", "\u2029"])
def test_only_a_newline_ends_a_line(tmp_path, broken_by_splitlines):
    english = [f"One{broken_by_splitlines}line.", "Two."]
    corpus = load_corpus(write_folder(tmp_path, {"eng_Latn": english, "fra_Latn": FRENCH[:2]}))
    assert corpus.texts[0] == tuple(english)


def test_byte_order_mark_and_windows_line_ends_are_no_text(folder, tmp_path):
    windows = write_folder(tmp_path / "windows", TEXTS, end="\r\n")
    for path in windows.iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_corpus(windows).fingerprint == load_corpus(folder).fingerprint
    table = write_table(tmp_path / "windows.tsv", TEXTS)
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes().replace(b"\n", b"\r\n"))
    assert load_corpus(table).fingerprint == load_corpus(folder).fingerprint


def test_the_last_line_needs_no_newline(folder):
    path = folder / "eng_Latn.txt"
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    assert load_corpus(folder).texts[0] == tuple(ENGLISH)


@pytest.mark.parametrize(("split", "found"), [("dev", "dev"), ("devtest", "devtest"), ("test", "devtest")])
def test_the_layout_of_flores_is_read_by_split(tmp_path, split, found):
    for name in ("dev", "devtest"):
        texts = {code: [f"{name} {text}" for text in column] for code, column in TEXTS.items()}
        write_folder(tmp_path / "flores" / name, texts, suffix=name)
    corpus = load_corpus(tmp_path / "flores", split=split)
    assert corpus.split == found and corpus.texts[0][0] == f"{found} One."
    assert load_corpus(tmp_path / "flores" / found, split=split).fingerprint == corpus.fingerprint


def test_a_folder_of_one_split_is_that_split(tmp_path):
    corpus = load_corpus(write_folder(tmp_path, TEXTS, suffix="devtest"))
    assert corpus.split == "devtest" and corpus.n_sentences == 3


def test_readmes_are_not_languages(folder):
    (folder / "README.txt").write_text("About this corpus.")
    (folder / "README.md").write_text("About this corpus.")
    assert load_corpus(folder).n_languages == 3


@pytest.mark.parametrize(
    "stray", [".idea/workspace.xml", ".git/en.conllu", ".vref.txt", ".a/newstest2019-x.txt"]
)
def test_hidden_files_do_not_change_how_a_folder_is_read(folder, stray):
    whole = load_corpus(folder).fingerprint
    (folder / stray).parent.mkdir(exist_ok=True)
    (folder / stray).write_text("<project/>")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "eng_Latn-checkpoint.txt").write_text("Old.\n")
    (folder / ".fr_draft.txt").write_text("Un.\n")
    assert load_corpus(folder).fingerprint == whole


def test_any_well_formed_code_is_a_file_and_a_column(tmp_path):
    texts = {"chr_Cher": ENGLISH, "cop_Copt": FRENCH, "ewe_Latn": HINDI}
    assert load_corpus(write_folder(tmp_path / "rare", texts)).languages == tuple(texts)
    path = write_table(tmp_path / "rare.csv", {"raw_text": ["a", "b", "c"], **texts})
    assert load_corpus(path).languages == tuple(texts)


def test_other_columns_of_a_table_are_left_alone(tmp_path):
    path = write_table(tmp_path / "t.csv", {"id": ["1", "2", "3"], **TEXTS, "topic": ["a", "b", "c"]})
    assert load_corpus(path).languages == tuple(TEXTS)
    assert load_corpus(path, ["hin_Deva", "eng_Latn"]).texts == (tuple(HINDI), tuple(ENGLISH))


# What is generated


def test_the_phrasebook_is_a_corpus_of_the_default_ten():
    corpus = load_corpus("phrasebook", split="test", seed=3)
    assert (corpus.name, corpus.split, corpus.languages) == ("phrasebook", "test", DEFAULT_LANGUAGES)
    assert corpus.n_sentences == corpus_module.DEFAULT_N_SENTENCES
    made = phrasebook.parallel_sentences(None, corpus.n_sentences, "test", 3, "latin")
    assert corpus.texts == tuple(map(tuple, made))


def test_the_world_is_a_corpus_with_kinds_and_without_digits():
    corpus = load_corpus("world", "eng_Latn fra_Latn", 12, split="test", seed=1)
    texts, kinds = world.parallel_sentences(corpus.languages, 12, "test", 1, "none")
    assert corpus.texts == tuple(map(tuple, texts)) and corpus.kinds == tuple(kinds)


def test_digits_are_passed_on():
    corpus = load_corpus("phrasebook", "arb_Arab hin_Deva", 100, digits="native")
    assert re.search("[٠-٩]", "".join(corpus.texts[0])) and not re.search("[0-9]", "".join(corpus.texts[0]))


# What a corpus tells


def test_the_table_has_a_row_per_sentence_and_a_column_per_language(folder):
    pd.testing.assert_frame_equal(load_corpus(folder).table(), pd.DataFrame(TEXTS))


@pytest.mark.parametrize(
    "chosen", [slice(1, 3), [1, 2], (1, 2), np.array([1, 2]), np.array([False, True, True])]
)
def test_select_takes_the_same_meanings_in_every_language(chosen):
    corpus = ParallelCorpus("c", ("eng_Latn", "fra_Latn"), (tuple("abc"), tuple("xyz")), "dev", tuple("pqr"))
    part = corpus.select(chosen)
    assert (part.texts, part.kinds, part.name) == ((("b", "c"), ("y", "z")), ("q", "r"), "c")


def test_the_fingerprint_is_of_languages_texts_and_kinds_only():
    corpus = ParallelCorpus("c", ("eng_Latn", "fra_Latn"), (("a", "b"), ("x", "y")), "dev")
    same = ParallelCorpus("d", ("eng_Latn", "fra_Latn"), (("a", "b"), ("x", "y")), "test")
    assert re.fullmatch("[0-9a-f]{64}", corpus.fingerprint) and same.fingerprint == corpus.fingerprint
    others = [
        ParallelCorpus("c", ("fra_Latn", "eng_Latn"), corpus.texts, "dev"),
        ParallelCorpus("c", corpus.languages, (("ab", ""), ("x", "y")), "dev"),
        ParallelCorpus("c", corpus.languages, (("b", "a"), ("y", "x")), "dev"),
        ParallelCorpus("c", corpus.languages, corpus.texts, "dev", ("k", "k")),
    ]
    assert len({other.fingerprint for other in [corpus, *others]}) == 5


def test_meanings_that_repeat_in_any_language_are_counted_once():
    texts = (("a", "b", "a", "c", "a"), ("v", "w", "v", "w", "x"))
    assert ParallelCorpus("c", ("eng_Latn", "fra_Latn"), texts, "dev").n_repeated == 3


def test_repeated_sentences_are_reported(tmp_path, caplog):
    write_folder(tmp_path / "r", {"eng_Latn": ["One.", "One.", "Two."], "fra_Latn": FRENCH})
    with caplog.at_level(logging.WARNING):
        corpus = load_corpus(tmp_path / "r")
    assert corpus.n_repeated == 1
    assert caplog.messages == [
        "r (dev): 3 sentences in 2 languages; 1 of them repeat an earlier sentence in some language"
    ]


def test_a_corpus_shows_itself_in_a_line(folder):
    assert len(repr(load_corpus(folder))) < 200
    assert str(load_corpus(folder)) == "small (dev): 3 sentences in 3 languages"


@pytest.mark.parametrize("every", ["all", ["all"], ("all",)])
def test_all_is_every_language_that_a_corpus_has(folder, tmp_path, every):
    assert load_corpus(folder, every).fingerprint == load_corpus(folder).fingerprint
    table = write_table(tmp_path / "elsewhere.tsv", TEXTS)
    assert load_corpus(table, every).languages == tuple(TEXTS)
    assert load_corpus("world", every, 2).languages == tuple(LANGUAGES)


# What is refused


def test_unequal_lengths_name_the_file_and_both_counts(folder):
    (folder / "fra_Latn.txt").write_text("Un.\nDeux.\n")
    assert "fra_Latn.txt has 2 sentences, but eng_Latn.txt has 3" in refusal(ValueError, folder)


@pytest.mark.parametrize("blank", ["", "   ", "\u3000"])
def test_an_empty_sentence_names_file_and_line(folder, blank):
    (folder / "fra_Latn.txt").write_text(f"Un.\n{blank}\nTrois.\n")
    assert "fra_Latn.txt, line 2: empty sentence" in refusal(ValueError, folder)


@pytest.mark.parametrize(("suffix", "line"), [(".tsv", 3), (".csv", 3), (".jsonl", 2), (".parquet", 2)])
def test_an_empty_sentence_of_a_table_names_line_and_column(tmp_path, suffix, line):
    path = write_table(tmp_path / f"t{suffix}", TEXTS | {"fra_Latn": ["Un.", "", "Trois."]})
    assert f"t{suffix}, line {line}: empty sentence in column fra_Latn" in refusal(ValueError, path)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_missing_or_wrong_value_of_a_table_is_named(tmp_path, suffix):
    path = write_table(tmp_path / f"t{suffix}", TEXTS | {"fra_Latn": ["Un.", "Deux.", None]})
    assert "line 3: no sentence in column fra_Latn" in refusal(ValueError, path)
    path = write_table(tmp_path / f"t{suffix}", TEXTS | {"fra_Latn": [1, 2, 3]})
    assert "line 1: 1, which is not text, in column fra_Latn" in refusal(ValueError, path)


def test_an_unknown_code_names_the_nearest(folder):
    message = refusal(ValueError, folder, "eng_Latn french")
    assert "unknown language code 'french'; nearest known: fra_Latn" in message


def test_a_file_of_an_unknown_language_names_the_nearest(folder):
    (folder / "fr.txt").write_text("Un.\nDeux.\nTrois.\n")
    assert re.search(
        r"fr\.txt: unknown language code 'fr'; nearest known: fra_Latn", refusal(ValueError, folder)
    )
    assert load_corpus(folder, "eng_Latn fra_Latn").n_languages == 2


@pytest.mark.parametrize("source", ["phrasebook", "world", "folder", "table"])
def test_one_language_or_one_sentence_is_too_few(folder, tmp_path, source):
    places = {"folder": folder, "table": write_table(tmp_path / "t.csv", TEXTS)}
    source = places.get(source, source)
    assert "at least 2 languages, got 1: eng_Latn" in refusal(ValueError, source, ["eng_Latn"])
    for too_few in (1, -3, 2.5):
        message = refusal(ValueError, source, ["eng_Latn", "fra_Latn"], too_few)
        assert f"n_sentences={too_few}: a corpus needs at least 2 sentences" in message


def test_a_folder_with_one_file_or_one_line_is_too_little(tmp_path):
    one = write_folder(tmp_path / "one", {"eng_Latn": ENGLISH})
    assert "at least 2 languages, got 1: eng_Latn" in refusal(ValueError, one)
    short = write_folder(tmp_path / "short", {"eng_Latn": ["One."], "fra_Latn": ["Un."]})
    assert "short has 1 sentence per language; a corpus needs at least 2" in refusal(ValueError, short)
    empty = write_folder(tmp_path / "empty", {"eng_Latn": [], "fra_Latn": []})
    assert "empty has 0 sentences" in refusal(ValueError, empty)


def test_more_sentences_than_there_are_names_both_numbers(folder):
    message = refusal(ValueError, folder, n_sentences=4)
    assert re.search(r"n_sentences=4, but .*small has 3; ask for at most 3, or 0 for all", message)


@pytest.mark.parametrize("suffix", ["txt", "tsv", "jsonl"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_invalid_utf8_names_file_and_byte(folder, tmp_path, suffix, mark):
    good = mark + "eng_Latn\tfra_Latn\nDéjà".encode()
    path = folder / "fra_Latn.txt" if suffix == "txt" else tmp_path / f"t.{suffix}"
    path.write_bytes(good + b"\xe9 vu\n")
    source = folder if suffix == "txt" else path
    assert f"{path.name} is not valid UTF-8: 0xe9 at byte {len(good)}" in refusal(ValueError, source)


def test_a_missing_column_names_those_found(tmp_path):
    path = write_table(tmp_path / "t.tsv", {"id": ["1", "2", "3"], **TEXTS})
    message = refusal(ValueError, path, "eng_Latn deu_Latn")
    assert "has no column deu_Latn; columns: id, eng_Latn, fra_Latn, hin_Deva" in message
    bare = write_table(tmp_path / "bare.tsv", {"en": ENGLISH, "fr": FRENCH})
    assert "no column named by a language code; columns: en, fr" in refusal(ValueError, bare)


def test_a_missing_file_names_the_languages_there(folder):
    message = refusal(FileNotFoundError, folder, "eng_Latn deu_Latn zho_Hans")
    assert "has no deu_Latn, zho_Hans; it has eng_Latn, fra_Latn, hin_Deva" in message


def test_a_missing_split_is_named(tmp_path):
    for name in ("dev", "devtest"):
        write_folder(tmp_path / "flores" / name, TEXTS, suffix=name)
    message = refusal(FileNotFoundError, tmp_path / "flores", split="train")
    assert "has no files of the train split" in message
    assert "unknown split 'valid'; choose one of train, dev, test" in refusal(
        ValueError, tmp_path, split="valid"
    )


def test_an_unknown_source_names_what_there_is(tmp_path):
    assert "unknown corpus 'phrasebok': it is none of phrasebook, world, flores," in refusal(
        ValueError, "phrasebok"
    )
    assert "no corpus at" in refusal(FileNotFoundError, tmp_path / "nowhere.tsv")
    other = tmp_path / "t.xlsx"
    other.touch()
    assert "a table ends in .tsv, .csv, .jsonl, .parquet" in refusal(ValueError, other)


@pytest.mark.parametrize("source", ["..", ".", "small/..", "", "./"])
def test_a_path_without_a_name_of_its_own_is_refused(folder, monkeypatch, source):
    monkeypatch.chdir(folder.parent)
    message = refusal(ValueError, source)
    assert (
        f"corpus {source!r} names no folder of its own; name it in full: {Path(source).resolve()}" == message
    )


def test_digits_of_a_file_cannot_be_chosen(folder):
    assert "digits='none' is for generated corpora" in refusal(ValueError, folder, digits="none")


def test_an_unquoted_comma_is_not_cut_off(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("eng_Latn,fra_Latn\nOne, two,Un\nThree,Trois\n")
    assert "cannot read" in refusal(ValueError, path)
    path.write_text("eng_Latn,fra_Latn\nOne,Un\nTwo, too,Deux\n")
    assert "cannot read" in refusal(ValueError, path)


def test_a_broken_table_names_the_fault(tmp_path):
    for name, content, message in (
        ("empty.csv", "", "cannot read"),
        ("bad.jsonl", '{"eng_Latn": "One."}\n{"eng_Latn"\n', "bad.jsonl, line 2: not JSON"),
        ("list.jsonl", '["One."]\n', "list.jsonl, line 1: not an object"),
        ("bad.parquet", "no parquet", "cannot read"),
    ):
        path = Path(tmp_path / name)
        path.write_text(content)
        assert message in refusal(ValueError, path)


def test_a_short_row_is_an_empty_sentence(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text(
        "\n".join(json.dumps(row) for row in ({"eng_Latn": "One.", "fra_Latn": "Un."}, {"eng_Latn": "Two."}))
    )
    assert "t.jsonl, line 2: no sentence in column fra_Latn" in refusal(ValueError, path)
    path = tmp_path / "t.tsv"
    path.write_text("eng_Latn\tfra_Latn\nOne.\tUn.\nTwo.\n")
    assert "t.tsv, line 3: " in refusal(ValueError, path)
