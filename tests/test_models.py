"""Loading, and where the neurons of each architecture are."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import ENCODER_DECODERS, MODEL_TYPES, save_tiny, tiny_config, tiny_loaded, tiny_model
from transformers import AutoConfig

from lingua_utils.models import recipes
from lingua_utils.models.architectures import NEURON_SITES, neuron_sites
from lingua_utils.models.loading import checkpoint_folder, fingerprints, load_model
from lingua_utils.runs.run import Run


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """Folder of a lab's one model with three checkpoints."""
    monkeypatch.setenv("LINGUA_CHECKPOINTS", str(tmp_path))
    folder = recipes.lab_model_folder("bloom-m")
    for seed, step in enumerate((0, 600, 1200)):
        save_tiny("bloom", folder / f"step{step:06d}", seed=seed)
    return folder


def test_the_table_has_the_25_architectures():
    # Gemma 3 stands there twice: with its vision tower and as text only.
    assert len(NEURON_SITES.keys() - {"gemma3_text"}) == 25


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_every_site_is_a_projection_from_its_neurons_back_to_the_residual_stream(model_type):
    loaded = tiny_loaded(model_type)
    assert len(loaded.sites) == (4 if model_type in ENCODER_DECODERS else 2)
    for site in loaded.sites:
        module = loaded.module(site)
        expected = (site.width, 32) if model_type == "gpt2" else (32, site.width)
        assert tuple(module.weight.shape) == expected
        assert site.width == (128 if model_type in ("bloom", "falcon") else 48)


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_the_headless_model_holds_the_same_modules_and_no_head(model_type):
    loaded = tiny_loaded(model_type)
    whole = {id(module) for module in loaded.model.modules()}
    assert all(id(loaded.module(site)) in whole for site in loaded.sites)
    head = loaded.model.get_output_embeddings()
    assert head is not None and all(module is not head for module in loaded.base.modules())


def test_labels_name_the_stack_only_where_there_are_two():
    assert [site.label for site in neuron_sites(tiny_model("bloom"))] == ["0", "1"]
    assert [site.label for site in neuron_sites(tiny_model("mt5"))] == [
        "encoder 0",
        "encoder 1",
        "decoder 0",
        "decoder 1",
    ]


@pytest.mark.parametrize("model_type", ["bloom", "gpt2", "t5", "modernbert", "gemma3"])
def test_a_saved_folder_loads_with_the_same_weights(model_type, tmp_path):
    loaded = load_model(str(save_tiny(model_type, tmp_path)), device="cpu")
    expected = tiny_model(model_type).state_dict()
    for name, weight in loaded.model.state_dict().items():
        torch.testing.assert_close(weight, expected[name])
    assert not loaded.model.training
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
    assert loaded.dtype == torch.float32 and loaded.device == torch.device("cpu")


def test_the_lab_is_addressed_by_model_and_step(lab):
    loaded = load_model("lab/bloom-m", "step000600")
    assert (loaded.model_id, loaded.revision, loaded.model_type) == ("lab/bloom-m", "step000600", "bloom")
    assert checkpoint_folder("lab/bloom-m", "step000600") == lab / "step000600"


def test_main_is_the_labs_last_checkpoint(lab):
    assert load_model("lab/bloom-m").revision == "step001200"


def test_a_folder_of_revisions_is_addressed_by_revision(lab):
    assert checkpoint_folder(str(lab), "step000600") == lab / "step000600"


def test_a_missing_revision_names_those_that_are_there(lab):
    for model_id in ("lab/bloom-m", str(lab)):
        with pytest.raises(FileNotFoundError, match=r"step000601.*step000000, step000600, step001200"):
            load_model(model_id, "step000601")


def test_among_many_revisions_the_nearest_steps_are_named(tmp_path):
    for step in range(0, 2000, 100):
        folder = tmp_path / f"step{step}"
        folder.mkdir()
        (folder / "config.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=r"the nearest of 20 are step500, step600, step700, step800$"):
        checkpoint_folder(str(tmp_path), "step660")


def test_a_missing_lab_model_names_the_labs_models(lab):
    with pytest.raises(FileNotFoundError, match=r"lab/bloom-q.*lab/bloom-m"):
        load_model("lab/bloom-q", "step000600")


def test_a_missing_folder_is_said_in_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder") as error:
        load_model(str(tmp_path / "nothing"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("model_type", ["mixtral", "qwen3_moe", "gpt_oss", "olmoe", "phimoe", "deepseek_v3"])
def test_a_mixture_of_experts_is_refused_from_its_configuration_alone(model_type, tmp_path):
    AutoConfig.for_model(model_type).save_pretrained(tmp_path)
    with pytest.raises(
        ValueError,
        match=f"'{model_type}' is a mixture of experts.*llama.*lingua_utils/models/architectures.py",
    ):
        load_model(str(tmp_path))


def test_an_unknown_architecture_is_refused_whatever_code_it_brings(tmp_path):
    config = {
        "model_type": "novel",
        "auto_map": {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(
        ValueError, match=r"'novel' is an unknown architecture.*lingua_utils/models/architectures.py"
    ) as error:
        load_model(str(tmp_path))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "ran").exists()


def test_a_known_architecture_is_loaded_without_the_code_it_brings(tmp_path):
    save_tiny("llama", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    assert type(load_model(str(tmp_path)).model).__name__ == "LlamaForCausalLM"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [("device", "gpu"), ("device", "cuda:99"), ("dtype", "float8"), ("dtype", torch.int8)],
)
def test_an_impossible_device_or_dtype_is_refused_before_loading(option, value):
    with pytest.raises(ValueError, match=str(value)) as error:
        load_model("no/model", **{option: value})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("dtype", ["bfloat16", torch.bfloat16])
def test_the_dtype_is_the_one_asked_for(dtype, tmp_path):
    assert load_model(str(save_tiny("llama", tmp_path)), dtype=dtype).dtype == torch.bfloat16


@pytest.mark.parametrize("model_type", ["llama", "gpt2", "gpt_neox"])
def test_a_tokenizer_without_pad_token_gets_one_that_the_embedding_already_has(model_type, tmp_path):
    loaded = load_model(str(save_tiny(model_type, tmp_path)))
    assert loaded.tokenizer.pad_token == "</s>"
    assert loaded.pad_id < loaded.n_embeddings == tiny_config(model_type).vocab_size


def test_a_pad_token_beyond_the_embedding_is_not_used(tmp_path):
    folder = save_tiny("llama", tmp_path)
    loaded = load_model(str(folder))
    loaded.tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    while loaded.tokenizer.pad_token_id < loaded.n_embeddings:
        loaded.tokenizer.add_special_tokens({"pad_token": f"[PAD {loaded.tokenizer.pad_token_id}]"})
    assert loaded.pad_id == loaded.tokenizer.eos_token_id


def test_a_folder_without_weights_or_tokenizer_is_said_in_one_line(tmp_path):
    save_tiny("bloom", tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="no readable weights") as error:
        load_model(str(tmp_path))
    assert "\n" not in str(error.value)
    save_tiny("bloom", tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match="no tokenizer") as error:
        load_model(str(tmp_path))
    assert "\n" not in str(error.value)


# -- weights that do not match, and files that are damaged


def with_weights(folder, change):
    """A saved model whose tensors were changed: from names and tensors to names and tensors."""
    save_file(change(load_file(folder / WEIGHTS)), folder / WEIGHTS, {"format": "pt"})
    return folder


def with_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def refusal(folder, **options) -> str:
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        load_model(str(folder), **options)
    assert "\n" not in str(error.value)
    return str(error.value)


WEIGHTS = "model.safetensors"


@pytest.mark.parametrize("prefixes", ["_orig_mod.", "module.", "module._orig_mod."])
@pytest.mark.parametrize("model_type", ["llama", "bloom", "t5", "gemma3"])
def test_what_wrappers_put_before_names_is_taken_away_and_said(model_type, prefixes, tmp_path, caplog):
    expected = load_model(str(save_tiny(model_type, tmp_path))).model.state_dict()
    assert not caplog.messages
    with_weights(tmp_path, lambda tensors: {prefixes + name: part for name, part in tensors.items()})
    loaded = load_model(str(tmp_path)).model.state_dict()
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[name], expected[name]) for name in expected)
    assert "away from the names of its tensors" in caplog.text and prefixes[-10:] in caplog.text


def test_layers_that_were_compiled_one_by_one_load_too(tmp_path):
    expected = load_model(str(save_tiny("bloom", tmp_path))).model.state_dict()
    with_weights(
        tmp_path, lambda tensors: {name.replace(".0.", ".0._orig_mod."): t for name, t in tensors.items()}
    )
    loaded = load_model(str(tmp_path)).model.state_dict()
    assert all(torch.equal(loaded[name], expected[name]) for name in expected)


def test_a_missing_tensor_is_refused_with_its_name(tmp_path):
    lost = "model.layers.1.mlp.up_proj.weight"
    save_tiny("llama", tmp_path)
    with_weights(tmp_path, lambda tensors: {name: t for name, t in tensors.items() if name != lost})
    assert f"1 missing ({lost})" in refusal(tmp_path)


def test_a_file_without_any_of_the_models_tensors_is_refused_with_their_number(tmp_path):
    with_weights(save_tiny("llama", tmp_path), lambda tensors: {"x": torch.ones(1)})
    message = refusal(tmp_path)
    assert "21 missing (lm_head.weight, model.embed_tokens.weight, " in message
    assert message.count("model.") == 2 and "do not belong to its config.json" in message


@pytest.mark.parametrize("model_type", ["llama", "gpt2", "t5", "xlm-roberta"])
def test_more_layers_in_the_configuration_than_in_the_file_are_refused(model_type, tmp_path):
    with_config(save_tiny(model_type, tmp_path), **{LAYERS.get(model_type, "num_hidden_layers"): 3})
    assert re.search(r"\d+ missing \(\S+\.2\.", refusal(tmp_path))


LAYERS = {"gpt2": "n_layer", "t5": "num_layers"}


@pytest.mark.parametrize("model_type", ["llama", "gpt2", "xlm-roberta"])
def test_fewer_layers_in_the_configuration_than_in_the_file_are_refused(model_type, tmp_path):
    with_config(save_tiny(model_type, tmp_path), **{LAYERS.get(model_type, "num_hidden_layers"): 1})
    assert re.search(r"\d+ not in the model \(\S+\.1\.", refusal(tmp_path))


@pytest.mark.parametrize(("saved", "said"), [("llama", "bloom"), ("qwen3", "llama"), ("gpt2", "opt")])
def test_another_model_type_is_refused(saved, said, tmp_path):
    with_config(save_tiny(saved, tmp_path), model_type=said)
    assert "do not belong to its config.json" in refusal(tmp_path)


def test_a_tensor_of_another_shape_is_refused_with_both(tmp_path):
    with_config(save_tiny("llama", tmp_path), intermediate_size=40)
    message = refusal(tmp_path)
    assert "6 of another shape (model.layers.0.mlp.down_proj.weight: 32 × 48 instead of 32 × 40, " in message


@pytest.mark.parametrize(
    ("model_type", "more"),
    [
        ("bert", {"bert.pooler.dense.weight": (32, 32), "cls.seq_relationship.weight": (2, 32)}),
        ("xlm-roberta", {"roberta.pooler.dense.bias": (32,)}),
        ("gpt_neox", {"gpt_neox.layers.0.attention.masked_bias": (1,)}),
        ("gpt_neox", {"gpt_neox.layers.1.attention.bias": (1, 1, 8, 8)}),
        ("llama", {"model.layers.0.self_attn.rotary_emb.inv_freq": (4,)}),
        ("t5", {"encoder.embed_tokens.weight": (384, 32)}),
    ],
)
def test_heads_that_are_not_read_and_buffers_of_older_files_do_no_harm(model_type, more, tmp_path):
    before = load_model(str(save_tiny(model_type, tmp_path))).model.state_dict()
    extra = {name: torch.ones(shape) for name, shape in more.items()}
    if model_type == "t5":
        extra = dict.fromkeys(more, before["shared.weight"].clone())
    after = load_model(str(with_weights(tmp_path, lambda tensors: tensors | extra))).model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_with_their_file(bad, tmp_path):
    def spoiled(tensors):
        tensors["transformer.h.1.mlp.dense_h_to_4h.bias"][7] = bad
        return tensors

    message = refusal(with_weights(save_tiny("bloom", tmp_path), spoiled))
    assert f"transformer.h.1.mlp.dense_h_to_4h.bias in {WEIGHTS} has NaN or infinite numbers" in message


def test_weights_that_a_narrower_type_cannot_hold_are_refused_with_the_type(tmp_path):
    with_weights(save_tiny("bloom", tmp_path), lambda tensors: {name: t * 1e6 for name, t in tensors.items()})
    assert 'overflows in torch.float16; load it with dtype="float32"' in refusal(tmp_path, dtype="float16")
    load_model(str(tmp_path), dtype="float32")


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
HARMS = {
    "cut": lambda whole: whole[: len(whole) // 2],
    "emptied": lambda whole: b"",
    "a pointer": lambda whole: POINTER,
    "not UTF-8": lambda whole: b"\xff\xfe" + whole,
    "no object": lambda whole: b"[1, 2]",
}


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("name", ["config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json"])
def test_a_damaged_file_is_named_in_one_line(name, harm, tmp_path):
    path = save_tiny("bloom", tmp_path) / name
    path.write_bytes(HARMS[harm](path.read_bytes()))
    message = refusal(tmp_path)
    pointer = "is only git-LFS's pointer to the file; run git lfs pull"
    assert f"{name} {pointer if harm == 'a pointer' else 'is damaged'}" in message


@pytest.mark.parametrize("n_layers", [0, "two", None])
def test_a_configuration_that_describes_no_layers_is_named(n_layers, tmp_path):
    with_config(save_tiny("llama", tmp_path), num_hidden_layers=n_layers)
    assert "config.json is damaged" in refusal(tmp_path)


def test_a_missing_shard_is_named(tmp_path):
    save_tiny("bloom", tmp_path)
    whole = load_file(tmp_path / WEIGHTS)
    (tmp_path / WEIGHTS).unlink()
    tiny_model("bloom").save_pretrained(tmp_path, max_shard_size="60KB")
    shards = sorted(tmp_path.glob("model-*.safetensors"))
    loaded = load_model(str(tmp_path)).model.state_dict()
    assert len(shards) > 1 and all(torch.equal(loaded[name], whole[name]) for name in whole)
    shards[1].unlink()
    assert f"names {shards[1].name}, which is not there" in refusal(tmp_path)


def test_of_a_model_that_is_refused_no_run_is_left(tmp_path):
    with_config(save_tiny("llama", tmp_path / "model"), num_hidden_layers=3)
    run = Run(str(tmp_path / "model"), results=tmp_path / "results", corpus="world", n_sentences=2)
    with pytest.raises(ValueError, match="9 missing"):
        run.activations()
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("model_type", "changes", "limit"),
    [
        ("llama", {}, 256),
        ("gpt2", {}, 256),
        ("xlm-roberta", {"max_position_embeddings": 514}, 512),
        ("bloom", {}, None),
        ("falcon", {"alibi": True}, None),
        ("mt5", {}, None),
    ],
)
def test_the_longest_sequence_is_what_the_position_embeddings_reach(model_type, changes, limit):
    assert tiny_loaded(model_type, **changes).max_length == limit


def test_the_fingerprint_follows_the_weights(tmp_path):
    first = fingerprints(str(save_tiny("bloom", tmp_path)))
    assert set(first) == {"weights", "tokenizer", "config"}
    save_tiny("bloom", tmp_path, seed=1)
    second = fingerprints(str(tmp_path))
    assert first["weights"] != second["weights"]
    assert first["tokenizer"] == second["tokenizer"] and first["config"] == second["config"]


PARTS = {"config.json": "config", "tokenizer_config.json": "tokenizer"}


@pytest.mark.parametrize(("file", "part"), PARTS.items())
def test_a_changed_configuration_or_tokenizer_is_told_from_changed_weights(tmp_path, file, part):
    first = fingerprints(str(save_tiny("bloom", tmp_path)))
    settings = json.loads((tmp_path / file).read_text()) | {"note": "edited"}
    (tmp_path / file).write_text(json.dumps(settings))
    second = fingerprints(str(tmp_path))
    assert {what for what in first if first[what] != second[what]} == {part}


def test_the_facts_of_a_model_are_counted():
    loaded = tiny_loaded("mt5")
    facts = loaded.facts()
    assert facts["model_type"] == "mt5" and facts["n_layers"] == len(loaded.sites)
    assert facts["n_neurons"] == sum(site.width for site in loaded.sites)
    assert facts["n_parameters"] == sum(p.numel() for p in set(loaded.model.parameters()))
