"""Single neurons: what they answer to, what drives them token by token, and what a page shows of that."""

import unicodedata
from itertools import product
from types import SimpleNamespace

import fake_tables
import numpy as np
import pytest
from in_process import run_notebook
from test_charts import HOSTILE
from test_reach import publish
from tiny_models import LANGUAGES, TEXTS, tiny_loaded

from lingua_utils.charts import neurons as draw
from lingua_utils.measure.activations import capture
from lingua_utils.measure.neurons import alikeness, readings, token_activations
from lingua_utils.text import phrasebook

ALL_TEXTS = [text for texts in TEXTS for text in texts]


# ---- each neuron's own scores -----------------------------------------------------------------------------


def test_a_neurons_scores_are_means_over_every_pair_of_sentences():
    values = np.random.default_rng(0).normal(1, 2, (3, 4, 5))
    units = (values - values.mean((0, 1))) / values.std((0, 1))
    products = {"language": [], "meaning": [], "neither": []}
    for (a, i), (b, j) in product(np.ndindex(3, 4), repeat=2):
        shared = "language" if a == b else "meaning" if i == j else "neither"
        if (a, i) != (b, j):
            products[shared].append(units[a, i] * units[b, j])
    mean = {shared: np.mean(pairs, axis=0) for shared, pairs in products.items()}
    lrds, sads = alikeness(values)
    np.testing.assert_allclose(lrds, mean["language"] - mean["neither"])
    np.testing.assert_allclose(sads, mean["meaning"] - mean["neither"])


def test_neurons_of_language_and_of_meaning_are_told_apart_and_a_silent_one_scores_nothing():
    rng = np.random.default_rng(0)
    language, meaning = rng.normal(size=(8, 1)), rng.normal(size=(1, 40))
    values = np.stack(np.broadcast_arrays(language, meaning, 0.0), axis=2)
    lrds, sads = alikeness(values)
    assert lrds[0] > 1 and abs(sads[0]) < 1e-9
    assert sads[1] > 1 and abs(lrds[1]) < 1e-9
    assert lrds[2] == sads[2] == 0


def test_one_language_has_no_pairs_to_compare():
    with pytest.raises(ValueError, match="1 languages × 4 sentences"):
        alikeness(np.ones((1, 4, 2)))


# ---- token by token ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("model_type", ["bloom", "gemma3_text", "opt", "mt5", "xlm-roberta"])
def test_the_mean_over_tokens_is_what_capture_has(model_type):
    loaded = tiny_loaded(model_type)
    last = len(loaded.sites) - 1
    corpus = SimpleNamespace(texts=TEXTS, languages=LANGUAGES, n_sentences=5, fingerprint="", kinds=None)
    captured = capture(loaded, corpus, progress=False)
    places = [(last, 3), (0, 7), (last, 0)]
    means = np.stack([by_token.mean(axis=0) for by_token in token_activations(loaded, ALL_TEXTS, places)])
    wanted = np.stack([captured.layer(layer)[..., neuron].ravel() for layer, neuron in places], axis=1)
    np.testing.assert_allclose(means, wanted, rtol=1e-4, atol=1e-5)


def test_reading_tokens_leaves_nothing_on_the_model():
    loaded = tiny_loaded("bloom")
    token_activations(loaded, ALL_TEXTS[:2], [(0, 0)])
    assert not any(loaded.module(site)._forward_pre_hooks for site in loaded.sites)


@pytest.mark.parametrize("place", [(2, 0), (0, 999), (-1, 0)])
def test_a_neuron_that_is_not_there_is_named(place):
    with pytest.raises(ValueError, match=f"no neuron {place[1]} in layer {place[0]}: .* has 2 layers"):
        token_activations(tiny_loaded("bloom"), ALL_TEXTS[:1], [(0, 0), place])


def test_the_pieces_of_a_text_are_the_text_and_part_no_letter_from_its_marks():
    for text, reading in zip(ALL_TEXTS, readings(tiny_loaded("bloom"), ALL_TEXTS, [(0, 0)]), strict=True):
        assert "".join(reading.pieces) == text
        assert len(reading.pieces) == len(reading.values) > 1
        assert not any(unicodedata.category(piece[0]).startswith("M") for piece in reading.pieces)


def test_a_letter_of_several_tokens_has_the_value_that_is_furthest_from_zero():
    loaded, letter = tiny_loaded("bloom"), "ꙮ"
    (by_token,) = token_activations(loaded, [letter], [(1, 4)])
    (reading,) = readings(loaded, [letter], [(1, 4)])
    assert len(by_token) > 1 and reading.pieces == (letter,)
    assert reading.values.item() == by_token[np.abs(by_token).argmax()].item()


# ---- the page ---------------------------------------------------------------------------------------------


def page(shown_as: str, text: str = "one two three", **languages) -> str:
    table = fake_tables.neuron_sentences(text, **languages)
    found = fake_tables.neuron_readings(text, **languages)
    return draw.sentences(fake_tables.neurons(**languages), table, shown_as, found).source


def test_the_word_that_drives_a_neuron_most_has_the_densest_ground():
    assert f"{draw.SHADES[-1]}'>three </mark>" in page("text")
    assert "one <mark" in page("text")


def test_text_is_escaped_and_in_its_own_language_and_direction():
    shown = page("text", HOSTILE, languages=("eng_Latn", "arb_Arab", "zho_Hans"))
    assert "<img" not in shown and "</script" not in shown and "&lt;img" in shown
    assert "<td lang='ar" in shown and "dir='rtl'" in shown and "<td lang='zh" in shown


def test_of_the_declaration_the_page_has_a_link_and_one_word_and_no_sentence():
    shown = page("link", "hidden words <i>")
    assert "hidden" not in shown and "words" not in shown
    assert "at <bdi lang='en' dir='ltr'>&lt;i&gt;</bdi>" in shown
    assert "#:~:text=Article%2023'>Article 23, paragraph 4</a>" in shown


def test_of_any_other_text_the_page_has_the_number():
    assert "sentence 36: mean" in page("number") and "<a href" not in page("number")


def test_the_declaration_has_thirty_articles_of_fifty_paragraphs():
    assert len(draw.PARAGRAPHS) == 30 and sum(draw.PARAGRAPHS) == 50
    assert [draw._place(at, "link").partition(">")[2] for at in (0, 49)] == [
        "Article 1</a>",
        "Article 30</a>",
    ]


def test_text_without_readings_is_refused():
    with pytest.raises(ValueError, match="none are given"):
        draw.sentences(fake_tables.neurons(), fake_tables.neuron_sentences(), "text")


# ---- the stage --------------------------------------------------------------------------------------------

CODES = ("eng_Latn", "fra_Latn", "arb_Arab", "hin_Deva")


@pytest.fixture(scope="module")
def chapter(small_book, tmp_path_factory) -> dict:
    """What the chapter leaves behind on a text of somebody else, with a real model among the published."""
    folder, published = tmp_path_factory.mktemp("text"), tmp_path_factory.mktemp("published") / "all"
    texts = phrasebook.parallel_sentences(CODES, 12, "dev", 0, "latin")
    for code, sentences in zip(CODES, texts, strict=True):
        (folder / f"{code}.txt").write_text("\n".join(sentences) + "\n", encoding="utf-8")
    tables = ("neurons", "neuron_sentences", "neuron_costs")
    publish(published, **{name: getattr(fake_tables, name)() for name in tables})
    small = {"model_id": "lab/bloom-xs", "revision": "step000100", "n_sentences": 12, "n_controls": 1}
    places = {"corpus": folder, "published": published, "results": folder / "results"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINGUA_CHECKPOINTS", str(small_book.folder / "checkpoints"))
        return run_notebook("12_neurons", **small, **{name: str(place) for name, place in places.items()})


def test_neurons_are_shown_on_other_sentences_than_chose_them(chapter):
    shown = set(chapter["neuron_sentences"].sentence)
    assert shown <= set(chapter["showing"]) and shown.isdisjoint(chapter["choosing"])


def test_no_text_of_others_is_in_the_tables_that_are_published(chapter):
    tables = [chapter[name].select_dtypes(exclude="number") for name in ("neurons", "neuron_sentences")]
    words = {word for table in tables for word in table.to_numpy().ravel()}
    assert words <= {*CODES, "meaning", "strongest", "random", "untrained", "0", "1", ""}


def test_the_answer_is_first_that_of_a_real_model(chapter):
    first, second = chapter["told"]
    assert first.startswith("In m, 90% of the 10 sentences") and "is multiplied by 1.100" in first
    assert second.startswith("In bloom-xs, ")
