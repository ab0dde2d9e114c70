"""Likelihoods against the full model's logits and naive loops, for every kind of model."""

import math

import numpy as np
import pytest
import torch
from tiny_models import DECODERS, ENCODER_DECODERS, LANGUAGES, MODEL_TYPES, TEXTS, tiny_loaded

from lingua_utils.measure import perplexity
from lingua_utils.measure.perplexity import Scorer, by_language, head_inputs, logits, margin, score
from lingua_utils.models.batches import model_inputs, tokenize
from lingua_utils.text.corpus import ParallelCorpus

SENTENCES = [text for texts in TEXTS for text in texts]


def log_probabilities(loaded, **inputs):
    """Log-probabilities by the whole model, one sequence at a time, shape [token, vocabulary]."""
    inputs = {name: torch.tensor([ids]) for name, ids in inputs.items()}
    with torch.no_grad():
        return torch.log_softmax(loaded.model(**inputs).logits[0].float(), dim=-1)


def naive_causal_nll(loaded, ids):
    given = log_probabilities(loaded, input_ids=ids)
    return -sum(given[t - 1, ids[t]].item() for t in range(1, len(ids)))


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_logits_in_chunks_are_those_of_the_whole_model(model_type):
    loaded = tiny_loaded(model_type)
    inputs, _ = model_inputs(loaded, tokenize(loaded, SENTENCES), np.arange(4))
    with torch.no_grad():
        whole = loaded.model(**inputs).logits.float()
        chunked = torch.cat([logits(loaded, part) for part in head_inputs(loaded, inputs).split(1)])
    torch.testing.assert_close(chunked, whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("model_type", DECODERS)
def test_a_batch_of_sentences_scores_as_one_sentence_at_a_time(model_type):
    loaded = tiny_loaded(model_type)
    expected = [naive_causal_nll(loaded, loaded.tokenizer(text)["input_ids"]) for text in SENTENCES]
    np.testing.assert_allclose(score(loaded, SENTENCES, batch_tokens=100).nll, expected, rtol=1e-4)


def test_a_token_before_the_text_makes_every_token_and_byte_count():
    loaded = tiny_loaded("llama")
    scored = score(loaded, SENTENCES)
    assert scored.n_bytes.tolist() == [len(text.encode()) for text in SENTENCES]
    assert scored.n_tokens.tolist() == [len(loaded.tokenizer(text)["input_ids"]) - 1 for text in SENTENCES]


def test_without_one_the_first_token_is_context_and_its_bytes_do_not_count():
    loaded = tiny_loaded("bloom")
    text = "South Africa and Pakistan."
    ids = loaded.tokenizer(text)["input_ids"]
    scored = score(loaded, [text])
    assert scored.n_tokens.tolist() == [len(ids) - 1]
    assert scored.n_bytes.tolist() == [len(text) - len(loaded.tokenizer.decode(ids[:1]))]


def test_a_single_token_without_context_scores_nothing():
    loaded = tiny_loaded("bloom")
    scored = score(loaded, ["a", SENTENCES[0]])
    assert (scored.nll[0], scored.n_tokens[0], scored.n_bytes[0]) == (0, 0, 0)


@pytest.mark.parametrize(("window", "stride"), [(16, 8), (16, 5), (16, 15), (7, 1), (40, 20)])
@pytest.mark.parametrize("model_type", ["bloom", "llama"])
def test_windows_score_every_token_once_as_a_naive_loop_does(model_type, window, stride):
    loaded = tiny_loaded(model_type)
    document = " ".join(SENTENCES[:5])
    ids = loaded.tokenizer(document)["input_ids"]
    assert len(ids) > 60
    expected, n_scored = 0.0, 0
    for t in range(1, len(ids)):
        # The first window that reaches t is the one that scores it.
        start = max(0, math.ceil((t + 1 - window) / stride)) * stride
        given = log_probabilities(loaded, input_ids=ids[start:t])
        expected -= given[-1, ids[t]].item()
        n_scored += 1
    scored = score(loaded, [document], window=window, stride=stride)
    assert scored.n_tokens.tolist() == [n_scored]
    np.testing.assert_allclose(scored.nll, [expected], rtol=1e-5)


def test_a_text_longer_than_the_positions_is_scored_to_its_end():
    loaded = tiny_loaded("gpt2", max_position_embeddings=32)
    document = " ".join(SENTENCES)
    scored = score(loaded, [document])
    assert scored.n_tokens.tolist() == [len(loaded.tokenizer(document)["input_ids"]) - 1]


@pytest.mark.parametrize("model_type", ENCODER_DECODERS)
def test_an_encoder_decoder_scores_the_second_half_given_the_first(model_type):
    loaded = tiny_loaded(model_type)
    text = SENTENCES[2]
    ids = loaded.tokenizer(text)["input_ids"]
    content = loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
    half, after = len(content) // 2, ids[len(content) :]
    labels = content[half:] + after
    started = loaded.model.prepare_decoder_input_ids_from_labels(labels=torch.tensor([labels]))[0].tolist()
    given = log_probabilities(loaded, input_ids=content[:half] + after, decoder_input_ids=started)
    expected = -sum(given[t, labels[t]].item() for t in range(len(content) - half))
    scored = score(loaded, [*SENTENCES, text], batch_tokens=150)
    np.testing.assert_allclose(scored.nll[-1], expected, rtol=1e-5)
    assert scored.n_tokens[-1] == len(content) - half
    assert scored.n_bytes[-1] == len(loaded.tokenizer.decode(content[half:]).encode())


@pytest.mark.parametrize("model_type", ["bert", "modernbert"])
def test_a_masked_model_gives_pseudo_log_likelihood(model_type):
    loaded = tiny_loaded(model_type)
    text = SENTENCES[3]
    ids = loaded.tokenizer(text)["input_ids"]
    expected = 0.0
    for t in range(1, len(ids) - 1):
        masked = [*ids[:t], loaded.tokenizer.mask_token_id, *ids[t + 1 :]]
        expected -= log_probabilities(loaded, input_ids=masked)[t, ids[t]].item()
    scored = score(loaded, [*SENTENCES[:3], text], batch_tokens=90)
    np.testing.assert_allclose(scored.nll[-1], expected, rtol=1e-5)
    assert scored.n_tokens[-1] == len(ids) - 2


def test_the_result_does_not_depend_on_the_batch_or_the_chunk_of_logits(monkeypatch):
    loaded = tiny_loaded("gemma2")
    whole = score(loaded, SENTENCES)
    monkeypatch.setattr(perplexity, "LOGITS", 3 * loaded.n_embeddings)
    np.testing.assert_allclose(score(loaded, SENTENCES, batch_tokens=1).nll, whole.nll, rtol=1e-5)


def test_no_more_than_a_chunk_of_logits_is_ever_in_memory(monkeypatch):
    loaded, sizes = tiny_loaded("bloom"), []
    monkeypatch.setattr(perplexity, "LOGITS", 7 * loaded.n_embeddings)
    loaded.model.get_output_embeddings().register_forward_hook(lambda *args: sizes.append(args[2].numel()))
    score(loaded, SENTENCES)
    assert max(sizes) == 7 * loaded.n_embeddings


def test_a_uniform_model_has_the_vocabulary_as_perplexity():
    loaded = tiny_loaded("llama")
    with torch.no_grad():
        loaded.model.lm_head.weight.zero_()
    scored = score(loaded, SENTENCES)
    assert scored.perplexity == pytest.approx(loaded.n_embeddings)
    bits = scored.n_tokens.sum() * math.log2(loaded.n_embeddings)
    assert scored.bits_per_byte == pytest.approx(bits / sum(len(text.encode()) for text in SENTENCES))


def test_half_precision_is_close_to_single():
    single, half = tiny_loaded("llama"), tiny_loaded("llama")
    half.model.to(torch.bfloat16)
    assert score(half, SENTENCES).bits_per_byte == pytest.approx(
        score(single, SENTENCES).bits_per_byte, rel=0.01
    )


def test_languages_are_scored_each_on_its_own_text():
    loaded = tiny_loaded("llama")
    table = by_language(loaded, ParallelCorpus("tiny", LANGUAGES, TEXTS, "test")).set_index("language")
    for language, texts in zip(LANGUAGES, TEXTS, strict=True):
        alone = score(loaded, texts)
        row = table.loc[language]
        assert row["bits_per_byte"] == pytest.approx(alone.bits_per_byte)
        assert row["perplexity"] == pytest.approx(alone.perplexity) == pytest.approx(np.exp(row["nll"]))
        assert (row["low"], row["high"]) == pytest.approx(alone.interval())
        assert row["low"] < row["bits_per_byte"] < row["high"]
        assert (row["n_tokens"], row["n_bytes"]) == (alone.n_tokens.sum(), alone.n_bytes.sum())


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    n_bytes = rng.integers(20, 200, (4000, 25))
    nll = n_bytes * 0.7 + rng.standard_normal(n_bytes.shape) * n_bytes**0.5
    estimates = nll.sum(axis=1) / math.log(2) / n_bytes.sum(axis=1)
    half = margin(perplexity.influence(nll, n_bytes))
    covered = np.abs(estimates - 0.7 / math.log(2)) < half
    assert covered.mean() == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(
    ("model_type", "texts", "options", "message"),
    [
        ("bloom", ["", "a b"], {}, "text 0 has no content token"),
        ("bloom", ["a b"], {"window": 8, "stride": 8}, "stride 8 with a window of 8"),
        ("bert", ["x " * 300], {}, "reads 256; split it"),
    ],
)
def test_what_cannot_be_scored_is_named(model_type, texts, options, message):
    with pytest.raises(ValueError, match=message):
        Scorer(tiny_loaded(model_type), texts, **options)


def test_a_masked_model_without_a_mask_token_is_refused():
    loaded = tiny_loaded("bert")
    loaded.tokenizer.mask_token = None
    with pytest.raises(ValueError, match="no mask token"):
        score(loaded, SENTENCES)
