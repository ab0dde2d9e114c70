"""Published corpora: where they are looked for, what is read of them, and what is said without them."""

import io
import random
import re
from dataclasses import replace

import pandas as pd
import pytest
from test_readers import SENTENCES, plain_files
from tiny_models import save_tiny

from lingua_utils.runs.run import Run
from lingua_utils.text import published
from lingua_utils.text.corpus import load_corpus
from lingua_utils.text.languages import DEFAULT_LANGUAGES

CONVERTED = "refs/convert/parquet"
FLORES_PLUS, PIN = "openlanguagedata/flores_plus", published.SOURCES["flores"].datasets[0].revisions[0]


@pytest.fixture(autouse=True)
def own_data(monkeypatch, tmp_path):
    """An empty folder of data for each test."""
    monkeypatch.setenv("LINGUA_DATA", str(tmp_path / "data"))


def parquet(**columns) -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame(columns).to_parquet(buffer)
    return buffer.getvalue()


def one_line(error) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


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
    columns, *_ = published.read("flores", tuple(SENTENCES), "dev")
    assert columns == {code: [f"dev {text}" for text in texts] for code, texts in SENTENCES.items()}
    columns, *_ = published.read("flores", ("eng_Latn", "zho_Hant"), "test")
    assert columns["zho_Hant"][0] == f"devtest {SENTENCES['zho_Hant'][0]}"


def test_json_lines_are_read_where_a_repository_has_no_parquet(local_hub):
    contents = {}
    for code in ("eng_Latn", "arb_Arab"):
        table = pd.DataFrame({"id": range(3), "text": SENTENCES[code]})
        contents[f"dev/{code}.jsonl"] = table.to_json(orient="records", lines=True).encode()
    local_hub.add(FLORES_PLUS, contents, PIN, kind="dataset")
    columns, *_ = published.read("flores", ("arb_Arab", "eng_Latn"), "dev")
    assert columns == {code: SENTENCES[code] for code in ("arb_Arab", "eng_Latn")}


def test_gated_flores_falls_back_to_the_open_one_and_says_so(local_hub, caplog):
    flores_plus(local_hub, gated=True)
    contents = {
        f"{code}/dev/0000.parquet": parquet(id=[1, 2, 3], sentence=texts) for code, texts in SENTENCES.items()
    }
    local_hub.add("facebook/flores", contents, CONVERTED, kind="dataset")
    columns, *_ = published.read("flores", tuple(SENTENCES), "dev")
    assert columns == SENTENCES
    assert "not from openlanguagedata/flores_plus" in caplog.text and "is gated" in caplog.text


def test_a_corpus_of_the_hub_tells_the_commit_that_its_branch_stood_for(local_hub):
    def publish(text):
        contents = {
            f"{code}/test/0000.parquet": parquet(link=["u", "v"], flores_passage=[f"{code} {text}", "b"])
            for code in ("eng_Latn", "fra_Latn")
        }
        return local_hub.add("facebook/belebele", contents, CONVERTED, kind="dataset")

    loaded = []
    for text in ("as it was", "as it is"):
        commit = publish(text)
        loaded.append(load_corpus("belebele", ["eng_Latn", "fra_Latn"]))
        assert loaded[-1].source == f"facebook/belebele@{commit}"
        assert loaded[-1].select(slice(1)).source == loaded[-1].source
    assert loaded[0].source != loaded[1].source and loaded[0].fingerprint != loaded[1].fingerprint
    local_hub.stop()
    assert load_corpus("belebele", ["eng_Latn", "fra_Latn"]).source == loaded[1].source


def test_a_pinned_corpus_stays_when_its_branch_moves_on(local_hub, monkeypatch):
    flores_plus(local_hub, "main")
    commit = local_hub.repositories["dataset", FLORES_PLUS].revisions["main"]
    pinned = replace(published.SOURCES["flores"].datasets[0], revisions=(commit, "main"))
    source = replace(published.SOURCES["flores"], datasets=(pinned,))
    monkeypatch.setitem(published.SOURCES, "flores", source)
    before = load_corpus("flores", ["eng_Latn", "arb_Arab"])
    changed = {
        f"dev/{code}.parquet": parquet(id=[0, 1], text=["x", "y"]) for code in ("eng_Latn", "arb_Arab")
    }
    assert local_hub.add(FLORES_PLUS, changed, "main", kind="dataset") != commit
    after = load_corpus("flores", ["eng_Latn", "arb_Arab"])
    assert after.fingerprint == before.fingerprint and after.source == f"{FLORES_PLUS}@{commit}"


def test_of_every_source_a_commit_stands_before_branches():
    for source in published.SOURCES.values():
        for dataset in source.datasets:
            pinned = [bool(re.fullmatch(r"[0-9a-f]{40}", revision)) for revision in dataset.revisions]
            assert pinned == sorted(pinned, reverse=True)


def test_the_manifest_tells_the_commit_and_a_change_of_text_is_said(local_hub, tmp_path, capsys):
    def run_on(texts):
        contents = {
            f"{code}/test/0000.parquet": parquet(link=list("uvwx"), flores_passage=texts)
            for code in ("eng_Latn", "fra_Latn")
        }
        commit = local_hub.add("facebook/belebele", contents, CONVERTED, kind="dataset")
        run = Run(
            str(save_tiny("bloom", tmp_path / "model")), results=tmp_path / "results",
            corpus="belebele", languages="eng_Latn fra_Latn", n_sentences=2,
        )  # fmt: skip
        run.activations()
        assert run.manifest["source"] == f"facebook/belebele@{commit}"
        return commit

    first = run_on(["a", "b", "c", "d"])
    assert "is another" not in capsys.readouterr().err
    second = run_on(["a", "B", "c", "d"])
    said = capsys.readouterr().err
    assert "the text of belebele is another" in said and first in said and second in said


def test_then_to_a_folder(local_hub, tmp_path):
    flores_plus(local_hub, gated=True)
    plain_files(tmp_path / "data" / "flores" / "dev", "dev")
    assert published.read("flores", tuple(SENTENCES), "dev") == (SENTENCES, "dev", "")


def test_when_nothing_works_the_message_tells_all_that_was_tried(local_hub, tmp_path):
    flores_plus(local_hub, gated=True)
    with pytest.raises(PermissionError) as error:
        published.read("flores", tuple(SENTENCES), "dev")
    message = one_line(error)
    parts = (
        FLORES_PLUS,
        "hf auth login",
        "facebook/flores",
        str(tmp_path / "data/flores"),
        "Instead, unpack",
    )
    assert all(part in message for part in parts)


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
    columns, *_ = published.read("xstorycloze", None, "dev")
    assert list(columns) == ["eng_Latn", "zho_Hans"]
    assert columns["zho_Hans"] == [
        *("zh a 1", "zh a 2", "zh a 3", "zh a 4", "zh a ending 1"),
        *("zh b 1", "zh b 2", "zh b 3", "zh b 4", "zh b ending 2"),
    ]


def test_stories_without_common_ids_are_aligned_by_row(local_hub):
    contents = {"en/eval/0000.parquet": story("en"), "zh/eval/0000.parquet": story("zh", ids=("c", "d"))}
    local_hub.add("juletxara/xstory_cloze", contents, CONVERTED, kind="dataset")
    columns, *_ = published.read("xstorycloze", None, "test")
    assert [text[3:] for text in columns["eng_Latn"]][:4] == ["a 1", "a 2", "a 3", "a 4"]
    assert columns["zho_Hans"][0] == "zh c 1"


def test_belebele_gives_each_passage_once(local_hub):
    def passages(name):
        return parquet(link=["u", "u", "v"], flores_passage=[f"{name} u", f"{name} u", f"{name} v"])

    contents = {f"{code}/test/0000.parquet": passages(code) for code in DEFAULT_LANGUAGES}
    local_hub.add("facebook/belebele", contents, CONVERTED, kind="dataset")
    columns, *_ = published.read("belebele", None, "dev")
    assert columns == {code: [f"{code} u", f"{code} v"] for code in DEFAULT_LANGUAGES}


def test_of_the_hub_the_default_ten_are_read_unless_all_are_asked_for(local_hub):
    codes = (*DEFAULT_LANGUAGES, "deu_Latn")
    contents = {f"{c}/test/0000.parquet": parquet(link=["u", "v"], flores_passage=["a", "b"]) for c in codes}
    local_hub.add("facebook/belebele", contents, CONVERTED, kind="dataset")
    assert load_corpus("belebele").languages == DEFAULT_LANGUAGES
    assert load_corpus("belebele", "all").languages == tuple(sorted(codes))


def test_ntrex_is_one_table_with_a_column_per_language(local_hub):
    table = parquet(id=["x", "y", "z"], **{"swa_Latn": ["a", "b", "c"], "ind_Latn": ["d", "e", "f"]})
    local_hub.add("mteb/NTREX", {"data/test-00000-of-00001.parquet": table}, "main", kind="dataset")
    columns, *_ = published.read("ntrex", None, "dev")
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


@pytest.mark.parametrize("name", ["bible", "pud", "tatoeba"])
def test_what_the_hub_does_not_have_says_where_to_get_it(name, local_hub, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such folder\. Instead, ") as error:
        published.read(name, None, "dev")
    assert str(tmp_path / "data" / name) in one_line(error)


def test_a_folder_of_plain_files_serves_any_source(local_hub, tmp_path):
    plain_files(tmp_path / "data" / "pud")
    assert published.read("pud", None, "dev") == (SENTENCES, "dev", "")
