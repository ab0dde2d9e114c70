"""Loading, and where the neurons of each architecture are."""

import json

import pytest
import torch
from tiny_models import ENCODER_DECODERS, MODEL_TYPES, save_tiny, tiny_config, tiny_loaded, tiny_model
from transformers import AutoConfig

from lingua_utils.models import training
from lingua_utils.models.architectures import NEURON_SITES, TOKENIZERS, neuron_sites
from lingua_utils.models.loading import checkpoint_folder, fingerprints, load_model


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """Folder of a lab's one model with three checkpoints."""
    monkeypatch.setenv("LINGUA_CHECKPOINTS", str(tmp_path))
    folder = training.lab_model_folder("bloom-m")
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


def test_blooms_checkpoints_take_the_tokenizer_of_the_final_model():
    assert TOKENIZERS["bigscience/bloom-560m-intermediate"] == "bigscience/bloom-560m"


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
