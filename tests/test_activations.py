"""Capture, against recomputations that use no hook, no batch and no padding."""

import json
import logging
import re
from contextlib import ExitStack
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from tiny_models import ENCODER_DECODERS, LANGUAGES, MODEL_TYPES, TEXTS, tiny_loaded, tiny_model
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from lingua_utils.measure.activations import POOLINGS, Activations, capture
from lingua_utils.models import batches, devices
from lingua_utils.models.batches import in_batches, model_inputs, tokenize
from lingua_utils.models.loading import LoadedModel


def corpus_of(texts=TEXTS, languages=LANGUAGES, kinds=None):
    """What capture reads of a ParallelCorpus."""
    return SimpleNamespace(
        texts=texts,
        languages=languages,
        n_sentences=len(texts[0]),
        fingerprint="of the tiny texts",
        kinds=kinds,
    )


def captured(loaded, texts=TEXTS, **options):
    return capture(loaded, corpus_of(texts, LANGUAGES[: len(texts)]), progress=False, **options)


def encoded(loaded, text):
    """Token ids of one sentence, and which of them are content."""
    one = loaded.tokenizer(text, return_special_tokens_mask=True)
    return torch.tensor([one["input_ids"]]), ~torch.tensor(one["special_tokens_mask"]).bool()


def each_sentence(texts=TEXTS):
    return [(i, j, text) for i, language in enumerate(texts) for j, text in enumerate(language)]


def neuron_inputs(loaded, ids):
    """Input of every down-projection as the whole model reads one sentence, [token, neuron] by site."""
    inputs = {"input_ids": ids}
    if loaded.is_encoder_decoder:
        inputs["decoder_input_ids"] = loaded.model.prepare_decoder_input_ids_from_labels(labels=ids)
    seen = []
    with ExitStack() as hooks, torch.no_grad():
        for site in loaded.sites:
            module = loaded.module(site)
            hooks.enter_context(module.register_forward_hook(lambda _, args, output: seen.append(args[0])))
        loaded.model(**inputs)
    return [values.reshape(ids.shape[1], -1) for values in seen]


# --- equal to a recomputation from the block's input -------------------------------------------------


def bloom_mlp(block, attended):
    normed = block.post_attention_layernorm(attended)
    return functional.gelu(block.mlp.dense_h_to_4h(normed), approximate="tanh")


def llama_mlp(block, attended):
    normed = block.post_attention_layernorm(attended)
    return functional.silu(block.mlp.gate_proj(normed)) * block.mlp.up_proj(normed)


def xglm_mlp(block, attended):
    return functional.gelu(block.fc1(block.final_layer_norm(attended)))


def xlmr_mlp(block, attended):
    return functional.gelu(block.intermediate.dense(attended))


def t5_mlp(block, attended):
    feed_forward = block.layer[-1]
    dense = feed_forward.DenseReluDense
    normed = feed_forward.layer_norm(attended)
    return functional.gelu(dense.wi_0(normed), approximate="tanh") * dense.wi_1(normed)


def after_attention(model_type, block, states, position_embeddings):
    """The residual stream between attention and MLP of one unpadded sentence, from the block's own parts."""
    n = states.shape[1]
    causal = torch.full((n, n), torch.finfo(torch.float32).min).triu(1)[None, None]
    if model_type == "llama":
        return (
            states
            + block.self_attn(
                block.input_layernorm(states), position_embeddings=position_embeddings, attention_mask=causal
            )[0]
        )
    if model_type == "xglm":
        return states + block.self_attn(block.self_attn_layer_norm(states), attention_mask=causal)[0]
    return block.attention(states)[0]


@pytest.mark.parametrize(
    ("model_type", "mlp"), [("llama", llama_mlp), ("xglm", xglm_mlp), ("xlm-roberta", xlmr_mlp)]
)
def test_means_equal_a_hook_free_recomputation_of_the_mlp(model_type, mlp):
    loaded = tiny_loaded(model_type)
    values = captured(loaded).values
    blocks = {"llama": "layers", "xglm": "layers", "xlm-roberta": "encoder.layer"}[model_type]
    for i, j, text in each_sentence():
        ids, content = encoded(loaded, text)
        with torch.no_grad():
            states = loaded.base(ids, output_hidden_states=True).hidden_states
            rotary = getattr(loaded.base, "rotary_emb", None)
            position = rotary(states[0], torch.arange(ids.shape[1])[None]) if rotary else None
            for layer, block in enumerate(loaded.base.get_submodule(blocks)):
                attended = after_attention(model_type, block, states[layer], position)
                expected = mlp(block, attended)[0, content].mean(dim=0).numpy()
                np.testing.assert_allclose(values[i, j, layer], expected, atol=1e-5)


def test_means_equal_a_hook_free_recomputation_of_blooms_mlp():
    loaded = tiny_loaded("bloom")
    values = captured(loaded).values
    heads, width = 4, 8
    slopes = torch.tensor([2.0 ** (-8 * (head + 1) / heads) for head in range(heads)])
    for i, j, text in each_sentence():
        ids, _ = encoded(loaded, text)
        n = ids.shape[1]
        mask = torch.full((n, n), -torch.inf).triu(1)
        with torch.no_grad():
            states = loaded.base(ids, output_hidden_states=True).hidden_states
            for layer, block in enumerate(loaded.base.h):
                attention = block.self_attention
                fused = attention.query_key_value(block.input_layernorm(states[layer])).view(
                    n, heads, 3, width
                )
                query, key, value = fused.permute(2, 1, 0, 3)
                alibi = slopes[:, None, None] * torch.arange(n)
                weights = (query @ key.transpose(1, 2) / width**0.5 + alibi + mask).softmax(dim=-1)
                mixed = (weights @ value).transpose(0, 1).reshape(1, n, heads * width)
                expected = bloom_mlp(block, states[layer] + attention.dense(mixed))[0].mean(dim=0).numpy()
                np.testing.assert_allclose(values[i, j, layer], expected, atol=1e-5)


def test_means_equal_a_hook_free_recomputation_of_mt5s_mlp():
    loaded = tiny_loaded("mt5")
    values = captured(loaded).values
    model = loaded.model
    for i, j, text in each_sentence():
        ids, content = encoded(loaded, text)
        with torch.no_grad():
            taught = model._shift_right(ids)
            whole = model(input_ids=ids, decoder_input_ids=taught, output_hidden_states=True)
            n = ids.shape[1]
            causal = torch.full((n, n), torch.finfo(torch.float32).min).triu(1)[None, None]
            at_content = {"encoder": content, "decoder": torch.cat([torch.tensor([False]), content[:-1]])}
            for row, site in enumerate(loaded.sites):
                stack = model.get_submodule(site.stack)
                states = getattr(whole, f"{site.stack}_hidden_states")[site.layer]
                first = stack.block[0].layer[0].SelfAttention
                bias = first.compute_bias(n, n) + (causal if site.stack == "decoder" else 0)
                block = stack.block[site.layer]
                attended = block.layer[0](states, attention_mask=None, position_bias=bias)[0]
                if site.stack == "decoder":
                    no_bias = torch.zeros(1, 4, n, n)
                    attended = block.layer[1](
                        attended, key_value_states=whole.encoder_last_hidden_state, position_bias=no_bias
                    )[0]
                expected = t5_mlp(block, attended)[0, at_content[site.stack]].mean(dim=0).numpy()
                np.testing.assert_allclose(values[i, j, row], expected, atol=1e-5)


# --- the same whatever the batch ---------------------------------------------------------------------


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_the_result_depends_on_neither_batch_size_nor_order(model_type):
    loaded = tiny_loaded(model_type)
    whole = captured(loaded, batch_tokens=100_000).values
    np.testing.assert_allclose(captured(loaded, batch_tokens=1).values, whole, atol=1e-5)
    backwards = captured(loaded, tuple(texts[::-1] for texts in TEXTS), batch_tokens=150).values
    np.testing.assert_allclose(backwards[:, ::-1], whole, atol=1e-5)


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_means_are_those_of_one_sentence_at_a_time_without_padding(model_type):
    loaded = tiny_loaded(model_type)
    values = captured(loaded).values
    for i, j, text in each_sentence():
        ids, content = encoded(loaded, text)
        for row, activation in enumerate(neuron_inputs(loaded, ids)):
            shifted = torch.cat([torch.tensor([False]), content[:-1]])
            chosen = shifted if loaded.sites[row].label.startswith("decoder") else content
            np.testing.assert_allclose(values[i, j, row], activation[chosen].mean(dim=0), atol=1e-5)


@settings(max_examples=15)
@given(
    texts=st.lists(
        st.lists(st.text("ab ,星ह", min_size=1, max_size=30), min_size=3, max_size=3), min_size=2, max_size=3
    ),
    batch_tokens=st.integers(1, 200),
)
def test_any_text_in_any_batches_gives_the_same_means(texts, batch_tokens):
    loaded = tiny_loaded("llama")
    np.testing.assert_allclose(
        captured(loaded, texts, batch_tokens=batch_tokens).values, captured(loaded, texts).values, atol=1e-5
    )


# --- which tokens enter ------------------------------------------------------------------------------


def token_activations(loaded, text):
    """Activations of every token of one sentence in the first layer, and which tokens are content."""
    ids, content = encoded(loaded, text)
    return neuron_inputs(loaded, ids)[0].numpy(), content.numpy()


@pytest.mark.parametrize("model_type", ["llama", "bloom", "bert", "opt"])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_pooling_takes_the_tokens_it_names(model_type, pooling):
    loaded = tiny_loaded(model_type)
    result = captured(loaded, pooling=pooling)
    for i, j, text in each_sentence():
        tokens, content = token_activations(loaded, text)
        chosen = np.flatnonzero(content)
        if pooling == "skip_first":
            chosen = chosen[chosen > 0]
        elif pooling == "last":
            chosen = chosen[-1:]
        np.testing.assert_allclose(result.layer(0)[i, j], tokens[chosen].mean(axis=0), atol=1e-5)
        assert result.n_tokens[i, j] == len(chosen)


def test_a_sentence_of_one_token_keeps_it_when_the_first_is_skipped():
    loaded, texts = tiny_loaded("bloom"), (("a", "abc a"), ("b", "abc b"))
    first, mean = captured(loaded, texts, pooling="skip_first"), captured(loaded, texts)
    np.testing.assert_allclose(first.values[:, 0], mean.values[:, 0], atol=1e-6)
    assert (first.n_tokens[:, 0] == 1).all()
    assert np.abs(first.values[:, 1] - mean.values[:, 1]).max() > 1e-3


def test_special_tokens_are_context_but_enter_no_mean():
    loaded = tiny_loaded("llama")
    content = tokenize(loaded, ["a b"]).content
    assert not content[0] and content[1:].all()
    without = LoadedModel.wrap(loaded.model, tiny_loaded("bloom").tokenizer)
    assert np.abs(captured(loaded).values - captured(without).values).max() > 1e-3
    np.testing.assert_array_equal(captured(loaded).n_tokens, captured(without).n_tokens)


def test_the_decoder_starts_with_its_own_token_and_reads_the_sentence():
    for model_type in ENCODER_DECODERS:
        loaded = tiny_loaded(model_type)
        tokens = tokenize(loaded, ["a b", "a longer sentence"])
        inputs, content = model_inputs(loaded, tokens, np.array([1, 0]))
        ids, read = inputs["input_ids"], inputs["decoder_input_ids"]
        taught = loaded.model.prepare_decoder_input_ids_from_labels(
            labels=ids.masked_fill(inputs["attention_mask"] == 0, -100)
        )
        assert not content["decoder"][:, 0].any() and (read[:, 0] == taught[:, 0]).all()
        assert (read[content["decoder"]] == taught[content["decoder"]]).all()
        assert (read[content["decoder"]] == ids[content["encoder"]]).all()


@pytest.fixture(scope="module", params=["opt", "bert", "llama"])
def above_zero(request):
    """A tiny model, and where its first layer is above 0: [content token, neuron] of every sentence."""
    loaded = tiny_loaded(request.param)
    by_sentence = [[token_activations(loaded, text) for text in texts] for texts in TEXTS]
    return loaded, [[values[content] > 0 for values, content in texts] for texts in by_sentence]


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_share_above_zero_counts_every_content_token_of_a_sentence_whatever_the_pooling(
    above_zero, pooling
):
    loaded, expected = above_zero
    result = captured(loaded, pooling=pooling, batch_tokens=64)
    shares = result.positive_shares(0)
    for i, j, _ in each_sentence():
        np.testing.assert_array_equal(result.n_positive(0)[i, j], expected[i][j].sum(axis=0))
        np.testing.assert_allclose(shares[i, j], expected[i][j].mean(axis=0), rtol=1e-6)
        assert result.n_content[i, j] == len(expected[i][j])
    np.testing.assert_array_equal(result.positive_shares(0, slice(1, 3)), shares[:, 1:3])


def test_the_share_above_zero_of_a_language_is_that_of_its_tokens_also_among_chosen_sentences(above_zero):
    loaded, expected = above_zero
    result = captured(loaded, batch_tokens=64)
    for activations, chosen in ((result, range(5)), (result.select([3, 0, 2]), [3, 0, 2])):
        for i, texts in enumerate(expected):
            tokens = np.concatenate([texts[j] for j in chosen])
            np.testing.assert_allclose(activations.positive(0)[i], tokens.mean(axis=0), rtol=1e-12)


def test_counts_of_a_long_sentence_are_exact():
    loaded = tiny_loaded("bloom")
    text = "134 euros, 63 million, and a long list. " * 40
    tokens, content = token_activations(loaded, text)
    result = captured(loaded, (("a", text), ("b", text)), batch_tokens=64)
    assert result.n_content[0, 1] == content.sum() > 255
    np.testing.assert_array_equal(result.n_positive(0)[0, 1], (tokens[content] > 0).sum(axis=0))


def test_counts_add_a_quarter_to_a_layers_file(tmp_path):
    result = captured(tiny_loaded("bloom"))
    folder = result.save(tmp_path / "activations")
    size = (folder / "layer_000.safetensors").stat().st_size
    assert size < 1.25 * result.layer(0).nbytes + 300


def test_sums_are_float32_whatever_the_models_dtype():
    exact = tiny_loaded("llama")
    half = LoadedModel.wrap(tiny_model("llama").to(torch.bfloat16), exact.tokenizer)
    text = "134 euros, 63 million, " * 10
    ids, content = encoded(half, text)
    expected = neuron_inputs(half, ids)[0][content].double().mean(dim=0)
    result = captured(half, ((text, text), (text, text)), batch_tokens=1)
    assert result.layer(0).dtype == np.float32
    np.testing.assert_allclose(result.layer(0)[0, 0], expected, rtol=1e-5, atol=1e-7)


# --- hooks leave no trace ----------------------------------------------------------------------------


def n_hooks(model):
    return sum(len(module._forward_pre_hooks) + len(module._forward_hooks) for module in model.modules())


@pytest.mark.parametrize("model_type", ["bloom", "t5", "bert"])
def test_logits_are_equal_before_and_after(model_type):
    loaded = tiny_loaded(model_type)
    ids, _ = encoded(loaded, TEXTS[0][0])
    inputs = {"input_ids": ids} | ({"decoder_input_ids": ids} if model_type in ENCODER_DECODERS else {})
    with torch.no_grad():
        before = loaded.model(**inputs).logits
        captured(loaded)
        assert torch.equal(loaded.model(**inputs).logits, before)
    assert n_hooks(loaded.model) == 0


def test_no_hook_remains_after_an_error():
    loaded = tiny_loaded("bloom")

    def fail(module, args, output):
        assert n_hooks(loaded.model) > 2
        raise RuntimeError("half-way")

    with (
        loaded.base.h[1].mlp.register_forward_hook(fail),
        pytest.raises(RuntimeError, match="half-way"),
    ):
        captured(loaded)
    assert n_hooks(loaded.model) == 0


@pytest.mark.parametrize("model_type", ["bloom", "t5", "bert"])
def test_neither_head_nor_cache_nor_gradient_is_computed(model_type):
    loaded = tiny_loaded(model_type)
    ran, outputs = [], []
    loaded.model.get_output_embeddings().register_forward_hook(lambda *_: ran.append("head"))
    loaded.base.register_forward_hook(lambda module, args, output: outputs.append(output))
    captured(loaded, batch_tokens=100_000)
    assert not ran
    assert getattr(outputs[0], "past_key_values", None) is None
    assert not outputs[0].last_hidden_state.requires_grad


# --- errors and memory -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "max"}, "pooling is 'max'; it can be mean, skip_first, last"),
        ({"too_long": "split"}, "too_long is 'split'"),
        ({"batch_tokens": 0}, "batch_tokens is 0"),
        ({"max_tokens": 0}, "max_tokens is 0"),
    ],
)
def test_an_unknown_option_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        captured(tiny_loaded("bloom"), **options)


def test_too_long_a_sentence_is_truncated_and_counted():
    loaded = tiny_loaded("bert")
    result = captured(loaded, max_tokens=10)
    lengths = np.array([[encoded(loaded, text)[0].shape[1] for text in texts] for texts in TEXTS])
    assert result.n_truncated == (lengths > 10).sum() > 0
    np.testing.assert_array_equal(result.n_tokens, np.minimum(lengths, 10) - 2)
    text = TEXTS[0][2]
    cut = loaded.tokenizer(text, truncation=True, max_length=10)["input_ids"]
    expected = neuron_inputs(loaded, torch.tensor([cut]))[0][1:-1].mean(dim=0)
    np.testing.assert_allclose(result.layer(0)[0, 2], expected, atol=1e-5)


def test_a_limit_that_leaves_no_room_for_content_is_refused():
    with pytest.raises(ValueError, match="max_tokens is 2, which leaves no room beside 2 special tokens"):
        captured(tiny_loaded("bert"), max_tokens=2)


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_tokens_do_not_depend_on_how_many_texts_are_tokenized_at_a_time(chunk, monkeypatch):
    loaded, texts = tiny_loaded("bert"), [text for texts in TEXTS for text in texts]
    whole = tokenize(loaded, texts, max_tokens=20)
    monkeypatch.setattr(batches, "CHUNK", chunk)
    chunked = tokenize(loaded, texts, max_tokens=20)
    for field in ("ids", "content", "lengths", "starts", "truncated"):
        np.testing.assert_array_equal(getattr(chunked, field), getattr(whole, field))


class InPython:
    """A tokenizer in Python that adds <s> and </s> and marks nothing as special."""

    is_fast = False
    bos_token_id, eos_token_id, cls_token_id, sep_token_id = 0, 2, None, None

    def __call__(self, texts, truncation=False, max_length=None, **options):
        room = (max_length or 10_000) - 2
        ids = [[0, *map(ord, text[:room]), 2] for text in texts]
        return {"input_ids": ids, "special_tokens_mask": [[0] * len(sentence) for sentence in ids]}

    def num_special_tokens_to_add(self):
        return 2


def test_tokens_that_a_python_tokenizer_adds_without_saying_so_are_found_at_the_edges():
    loaded = LoadedModel.wrap(tiny_model("bert"), InPython())
    content = tokenize(loaded, ["ab", "a\x00\x02b"]).content
    assert content.astype(int).tolist() == [0, 1, 1, 0, 0, 1, 1, 1, 1, 0]


def test_too_long_a_sentence_is_refused_by_name_when_asked():
    with pytest.raises(ValueError, match=r"eng_Latn sentence 2 has \d+ tokens, the limit is 20"):
        captured(tiny_loaded("bloom"), max_tokens=20, too_long="refuse")


@pytest.mark.parametrize(
    "model_type", ["gpt2", "opt", "xlm-roberta", "mbart", "xglm", "gpt_neox", "modernbert"]
)
def test_a_sentence_longer_than_the_models_positions_is_cut_to_them(model_type):
    loaded = tiny_loaded(model_type)
    texts = (("long " * 400, "short"), ("长" * 400, "短"))
    result = captured(loaded, texts, max_tokens=10_000)
    assert result.n_truncated == 2
    assert np.isfinite(result.values).all() and (result.n_tokens[:, 0] <= loaded.max_length).all()
    assert (result.n_tokens[:, 0] >= loaded.max_length - 2).all()


@pytest.mark.parametrize("model_type", ["bloom", "t5"])
def test_where_positions_have_no_end_a_sentence_is_cut_to_2048_tokens_unless_more_are_asked_for(model_type):
    loaded = tiny_loaded(model_type)
    texts = ["a " * 3000, "b"]
    assert tokenize(loaded, texts).lengths[0] == batches.LONGEST == 2048
    assert tokenize(loaded, texts, max_tokens=2500).lengths[0] == 2500
    assert tokenize(loaded, texts, too_long="keep").lengths[0] >= 3000


def test_a_sentence_that_needs_more_memory_than_is_free_is_refused_by_name_before_the_forward(monkeypatch):
    loaded = tiny_loaded("bloom")
    loaded.base.register_forward_pre_hook(lambda *_: pytest.fail("the forward has begun"))
    monkeypatch.setattr(devices, "free_for_batches", lambda device: 20 * 10**9)
    texts = (("short", "x" * 10**6), ("kurz", "y"))
    with pytest.raises(MemoryError, match=r"^eng_Latn sentence 1 has 1,000,000 tokens, which need") as error:
        captured(loaded, texts, max_tokens=10**7)
    message = str(error.value)
    assert "20.0 GB are free" in message and "\n" not in message
    fitting = int(re.search(r"set max_tokens to (\d+)", message)[1])
    needed = batches.memory_of_sentence(loaded, fitting)
    assert needed <= 20e9 < batches.memory_of_sentence(loaded, 2 * fitting)


def test_by_default_even_a_line_of_a_megabyte_is_read(tmp_path):
    result = captured(tiny_loaded("bloom"), (("x" * 10**6, "b"), ("c", "d")))
    assert result.n_truncated == 1 and result.n_tokens[0, 0] == batches.LONGEST


@pytest.mark.parametrize("model_type", ["bloom", "t5", "gemma2"])
def test_a_sentence_is_said_to_need_no_more_than_it_takes(model_type):
    loaded, n_tokens = tiny_loaded(model_type), 250
    tokens = tokenize(loaded, ["x" * n_tokens], max_tokens=n_tokens)
    inputs, _ = model_inputs(loaded, tokens, np.array([0]))
    sizes = []

    class Sizes(TorchDispatchMode):
        """Notes the bytes of everything that is computed."""

        def __torch_dispatch__(self, function, types, arguments=(), options=None):
            made = function(*arguments, **(options or {}))
            sizes.append(made.nbytes if isinstance(made, torch.Tensor) else 0)
            return made

    with Sizes(), torch.inference_mode():
        loaded.base(**inputs)
    claimed = batches.memory_of_sentence(loaded, int(tokens.lengths[0]))
    assert sum(sorted(sizes)[-8:]) >= claimed >= max(sizes)


def test_a_sentence_without_content_is_named():
    with pytest.raises(ValueError, match="zho_Hans sentence 1 has no content token: ''"):
        captured(tiny_loaded("llama"), (("a", "b"), ("c", "")))
    with pytest.raises(ValueError, match="eng_Latn sentence 0 has no content token"):
        captured(tiny_loaded("bloom"), (("", "b"), ("c", "d")))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_an_activation_that_is_not_finite_is_named(bad):
    loaded = tiny_loaded("bloom")
    texts = (("a b", "c d"), ("e f", "g h"))
    only = set(loaded.tokenizer("g")["input_ids"])
    with torch.no_grad():
        loaded.base.word_embeddings.weight[list(only)] = bad
    with pytest.raises(ValueError, match="layer 0: zho_Hans sentence 1 has infinite or NaN activations"):
        captured(loaded, texts)


def test_a_tokenizer_of_another_model_is_found_out_before_the_forward():
    loaded = tiny_loaded("bloom", vocab_size=100)
    loaded.base.register_forward_pre_hook(lambda *_: pytest.fail("the forward has begun"))
    with pytest.raises(ValueError, match=r"eng_Latn sentence 0 has token id \d+.* 100 embeddings") as error:
        captured(loaded)
    assert "\n" not in str(error.value)


def runs_out_of_memory_above(loaded, n_tokens, sizes):
    def fail(module, args, kwargs):
        sizes.append(len(kwargs["input_ids"]))
        if kwargs["input_ids"].numel() > n_tokens:
            raise torch.OutOfMemoryError("CUDA out of memory")

    return loaded.base.register_forward_pre_hook(fail, with_kwargs=True)


def test_out_of_memory_halves_the_batch_and_goes_on(caplog):
    loaded, sizes = tiny_loaded("llama"), []
    expected = captured(loaded)
    with runs_out_of_memory_above(loaded, 150, sizes), caplog.at_level(logging.WARNING):
        result = captured(loaded, batch_tokens=100_000)
    np.testing.assert_allclose(result.values, expected.values, atol=1e-5)
    np.testing.assert_allclose(result.positive(0), expected.positive(0), atol=1e-6)
    assert sizes[:3] == [15, 7, 3]
    assert len(caplog.messages) == 2 and "out of memory with 15 sentences" in caplog.messages[0]


def test_one_sentence_that_does_not_fit_is_an_error():
    loaded = tiny_loaded("llama")
    with runs_out_of_memory_above(loaded, 0, []), pytest.raises(torch.OutOfMemoryError):
        captured(loaded)
    assert n_hooks(loaded.model) == 0


@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=60), batch_tokens=st.integers(1, 200))
def test_batches_hold_every_sentence_once_within_the_budget(lengths, batch_tokens):
    lengths, seen = np.array(lengths), []
    in_batches(seen.append, np.arange(len(lengths)), lengths, batch_tokens)
    assert sorted(np.concatenate(seen)) == list(range(len(lengths)))
    for rows in seen:
        assert len(rows) == 1 or lengths[rows].max() * len(rows) <= batch_tokens


# --- storage, parts, plain arrays ---------------------------------------------------------------------


def test_activations_come_back_from_disk_layer_by_layer(tmp_path):
    result = captured(tiny_loaded("t5"))
    result.save(tmp_path / "activations")
    opened = Activations.open(tmp_path / "activations")
    for name in (
        "languages",
        "layers",
        "widths",
        "n_sentences",
        "pooling",
        "corpus_fingerprint",
        "kinds",
    ):
        assert getattr(opened, name) == getattr(result, name)
    for name in ("n_tokens", "n_content"):
        np.testing.assert_array_equal(getattr(opened, name), getattr(result, name))
    np.testing.assert_array_equal(opened.values, result.values)
    for i in range(len(result.layers)):
        np.testing.assert_array_equal(opened.layer(i), result.layer(i))
        np.testing.assert_array_equal(opened.layer(i, slice(1, 3)), result.layer(i)[:, 1:3])
        np.testing.assert_array_equal(opened.n_positive(i), result.n_positive(i))
        np.testing.assert_array_equal(opened.n_positive(i, slice(1, 3)), result.n_positive(i)[:, 1:3])
    assert opened.fingerprint == result.fingerprint != captured(tiny_loaded("bloom")).fingerprint


@pytest.mark.parametrize("model_type", ["t5", "bloom"])
@pytest.mark.parametrize("repeats", [1, 40])  # counts in one byte, and in two
def test_what_is_written_batch_by_batch_is_what_would_be_kept_in_memory(model_type, repeats, tmp_path):
    loaded = tiny_loaded(model_type)
    texts = (*TEXTS[:1], (TEXTS[1][0] * repeats, *TEXTS[1][1:]))
    kept = captured(loaded, texts, batch_tokens=64)
    written = captured(loaded, texts, batch_tokens=64, folder=tmp_path / "written")
    assert kept.n_content.max() > 255 or repeats == 1
    kept.save(tmp_path / "saved")
    for path in (tmp_path / "saved").iterdir():
        assert (tmp_path / "written" / path.name).read_bytes() == path.read_bytes()
    assert written.fingerprint == kept.fingerprint
    np.testing.assert_array_equal(written.values, kept.values)
    np.testing.assert_array_equal(written.n_positive(1), kept.n_positive(1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["saved", "written"]


def test_a_capture_that_fails_leaves_nothing_and_keeps_what_was_there(tmp_path):
    loaded, before = tiny_loaded("bloom"), captured(tiny_loaded("bloom"), folder=tmp_path / "activations")
    seen = []

    def fail(module, args, output):
        seen.append(sum(path.stat().st_size for path in tmp_path.glob(".activations.*/*/*")))
        if len(seen) == 3:
            raise RuntimeError("half-way")

    with loaded.base.h[1].register_forward_hook(fail), pytest.raises(RuntimeError, match="half-way"):
        captured(loaded, TEXTS[::-1], batch_tokens=64, folder=tmp_path / "activations")
    assert 0 < seen[1] < seen[2]
    assert [path.name for path in tmp_path.iterdir()] == ["activations"]
    assert Activations.open(tmp_path / "activations").fingerprint == before.fingerprint


def test_the_fingerprint_is_of_the_numbers_not_of_the_way_they_came():
    result = captured(tiny_loaded("bloom"))
    again = Activations.from_array(result.values, LANGUAGES)
    assert again.fingerprint == result.fingerprint
    other = result.values.copy()
    other[1, 2, 1, 5] += 1
    assert Activations.from_array(other, LANGUAGES).fingerprint != result.fingerprint


def test_one_layer_is_read_without_the_others(tmp_path):
    folder = captured(tiny_loaded("bloom")).save(tmp_path / "activations")
    opened = Activations.open(folder)
    (folder / "layer_001.safetensors").unlink()
    assert opened.layer(0).shape == (3, 5, 128)
    with pytest.raises(ValueError, match=r"layer_001\.safetensors is missing or damaged"):
        opened.layer(1)


FILES = [f"{name}.safetensors" for name in ("activations", "layer_000", "layer_001")]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("harm", ["cut", "emptied", "filled with text"])
def test_damaged_activations_are_named_when_they_are_opened(tmp_path, file, harm):
    path = captured(tiny_loaded("bloom")).save(tmp_path / "activations") / file
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[: len(whole) // 2], "emptied": b"", "filled with text": b"x" * 99}[harm])
    with pytest.raises(ValueError, match=re.escape(file)) as error:
        Activations.open(tmp_path / "activations")
    assert "\n" not in str(error.value)


def test_activations_that_another_version_wrote_are_named_too(tmp_path):
    head = captured(tiny_loaded("bloom")).save(tmp_path / "activations") / FILES[0]
    save_file({"n_tokens": np.ones((3, 5))}, head, {"activations": json.dumps({"languages": ["a", "b"]})})
    with pytest.raises(ValueError, match=r"activations\.safetensors is missing or damaged \('layers'\)"):
        Activations.open(tmp_path / "activations")


def test_some_sentences_are_activations_too(tmp_path):
    kinds = ("bridged", "unbridged", "bridged", "bridged", "unbridged")
    result = capture(tiny_loaded("bloom"), corpus_of(kinds=kinds), progress=False)
    opened = Activations.open(result.save(tmp_path / "activations"))
    assert opened.kinds == kinds
    some = opened.select([3, 0])
    np.testing.assert_array_equal(some.values, result.values[:, [3, 0]])
    np.testing.assert_array_equal(some.select([1]).values, result.values[:, [0]])
    assert some.kinds == ("bridged", "bridged") and some.n_sentences == 2
    assert {kind: part.n_sentences for kind, part in opened.by_kind()} == {
        "all": 5,
        "bridged": 3,
        "unbridged": 2,
    }


def test_saving_replaces_what_was_there_and_leaves_nothing_else(tmp_path):
    captured(tiny_loaded("t5")).save(tmp_path / "activations")
    captured(tiny_loaded("bloom")).save(tmp_path / "activations")
    assert len(Activations.open(tmp_path / "activations").layers) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["activations"]
    assert not (tmp_path / "activations" / "layer_002.safetensors").exists()


def test_a_folder_without_activations_is_said_in_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match="no activations in"):
        Activations.open(tmp_path)


def test_plain_arrays_keep_their_axes():
    values = np.random.default_rng(0).normal(size=(2, 4, 3, 5)).astype(np.float32)
    result = Activations.from_array(values, ["eng_Latn", "fra_Latn"])
    np.testing.assert_array_equal(result.values, values)
    np.testing.assert_array_equal(result.layer(1), values[:, :, 1])
    np.testing.assert_array_equal(result.positive_shares(1), values[:, :, 1] > 0)
    np.testing.assert_allclose(result.positive(2), (values[:, :, 2] > 0).mean(axis=1))
    assert (result.n_sentences, result.layers, result.widths) == (4, ("0", "1", "2"), (5, 5, 5))


def test_layers_of_different_widths_have_no_single_array():
    result = Activations.from_array([np.ones((2, 3, 4)), np.ones((2, 3, 6))])
    assert result.layer(1).shape == (2, 3, 6)
    with pytest.raises(ValueError, match=r"\[4, 6\] neurons"):
        _ = result.values


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (np.ones((2, 3, 4)), {}, r"shape \(2, 3, 4\), expected"),
        ([np.ones((2, 3, 4)), np.ones((2, 2, 4))], {}, "expected"),
        ([], {}, "expected"),
        (np.ones((2, 3, 1, 4)), {"languages": ["eng_Latn"]}, "1 languages for values with 2"),
        (np.ones((2, 3, 1, 4)), {"kinds": ["a"]}, "1 kinds for values with 3"),
        (np.full((2, 3, 1, 4), np.nan), {"languages": ["a", "b"]}, "layer 0: a sentence 0"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(values, options, message):
    with pytest.raises(ValueError, match=message):
        Activations.from_array(values, **options)
