"""The untrained twin of any model: its architecture and tokenizer, weights that are drawn from a seed."""

from pathlib import Path

import pytest
import torch
from tiny_gguf import save_gguf
from tiny_models import LANGUAGES, MODEL_TYPES, TEXTS, save_tiny, tiny_tokenizer

from lingua_utils import hub
from lingua_utils.models import recipes, training
from lingua_utils.models.loading import fingerprints, load_model
from lingua_utils.runs import Run
from lingua_utils.runs.collate import collate
from lingua_utils.runs.sheets import Row
from workflow.pages import RunPages

WEIGHTS = "model.safetensors"


def weights(model_id: str | Path, **options) -> dict[str, torch.Tensor]:
    return dict(load_model(str(model_id), "untrained", **options).model.state_dict())


def differ(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether every matrix of two models differs."""
    assert one.keys() == other.keys()
    return not any(torch.equal(tensor, other[name]) for name, tensor in one.items() if tensor.ndim == 2)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_it_has_the_architecture_of_the_model_and_other_weights(model_type, tied, tmp_path):
    changes = {} if model_type == "gemma3" else {"tie_word_embeddings": tied}
    model = load_model(str(save_tiny(model_type, tmp_path, **changes)))
    twin = load_model(str(tmp_path), "untrained")
    shapes = [{name: w.shape for name, w in loaded.model.named_parameters()} for loaded in (model, twin)]
    assert shapes[0] == shapes[1] and model.facts() == twin.facts() and model.sites == twin.sites
    assert differ(dict(model.model.named_parameters()), dict(twin.model.named_parameters()))
    assert not twin.model.training and not any(p.requires_grad for p in twin.model.parameters())


def test_its_tokenizer_is_the_models(tmp_path):
    model, twin = (load_model(str(save_tiny("bloom", tmp_path)), name) for name in ("main", "untrained"))
    for texts in TEXTS:
        assert model.tokenizer(list(texts)).input_ids == twin.tokenizer(list(texts)).input_ids


def test_its_weights_are_those_of_its_seed_whatever_was_drawn_before(tmp_path):
    folder = save_tiny("llama", tmp_path)
    first = weights(folder)
    torch.manual_seed(7)
    expected, _ = torch.rand(1), torch.manual_seed(7)
    again = weights(folder)
    assert torch.equal(torch.rand(1), expected)  # nor does it disturb what is drawn after it
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    assert differ(first, weights(folder, training_seed=1))


@pytest.mark.parametrize("name", ["bloom-xs", "llama-m"])
def test_the_twin_of_a_lab_model_is_the_lab_model_before_its_first_step(name, tmp_path, monkeypatch):
    monkeypatch.setenv("LINGUA_CHECKPOINTS", str(tmp_path))
    tokenizer, recipe = tiny_tokenizer("bloom"), recipes.find_recipe(name, training_seed=3)
    start = training.build_model(recipe, tokenizer)
    folder = recipes.lab_model_folder(name, training_seed=3) / "step000100"
    start.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    twin = load_model(f"lab/{name}", "untrained", training_seed=3)
    assert twin.revision == "untrained"
    expected = start.state_dict()
    assert all(torch.equal(tensor, expected[part]) for part, tensor in twin.model.state_dict().items())


def test_it_runs_in_the_type_that_the_model_is_saved_in_or_is_asked_for(tmp_path):
    folder = save_tiny("llama", tmp_path)
    assert load_model(str(folder), "untrained").dtype == torch.float32
    narrow = load_model(str(folder), "untrained", dtype="bfloat16")
    assert narrow.dtype == torch.bfloat16
    expected = {name: tensor.bfloat16() for name, tensor in weights(folder).items()}
    assert all(torch.equal(tensor, expected[name]) for name, tensor in narrow.model.state_dict().items())
    narrow.model.save_pretrained(folder)
    assert load_model(str(folder), "untrained").dtype == torch.bfloat16


def test_it_is_spread_by_accelerate_where_asked(tmp_path):
    folder = save_tiny("bloom", tmp_path)
    spread, whole = weights(folder, device="auto"), weights(folder)
    assert all(torch.equal(tensor, whole[name]) for name, tensor in spread.items())


def test_no_weights_are_downloaded_for_it(local_hub, tmp_path):
    local_hub.add("someone/tiny", save_tiny("bloom", tmp_path / "bloom"))
    twin = load_model("someone/tiny", "untrained")
    assert local_hub.downloads(WEIGHTS) == [] and twin.revision == "untrained"
    expected = weights(tmp_path / "bloom")
    assert all(torch.equal(tensor, expected[name]) for name, tensor in twin.model.state_dict().items())


def test_of_a_series_on_the_hub_without_a_main_it_is_that_of_the_last_revision(local_hub, tmp_path):
    for step, seed in ((100, 1), (1000, 2)):
        local_hub.add("someone/series", save_tiny("bloom", tmp_path / str(step), seed=seed), f"step{step}")
    twin = load_model("someone/series", "untrained")
    assert local_hub.downloads(WEIGHTS) == []
    expected = weights(tmp_path / "1000")
    assert all(torch.equal(tensor, expected[name]) for name, tensor in twin.model.state_dict().items())
    last = fingerprints("someone/series", "step1000")
    assert fingerprints("someone/series", "untrained")["config"] == last["config"]


def test_of_a_folder_of_revisions_and_of_a_file_there_is_one_too(tmp_path, monkeypatch):
    monkeypatch.setenv("LINGUA_CHECKPOINTS", str(tmp_path / "checkpoints"))
    for step in (0, 100):
        save_tiny("llama", tmp_path / "series" / f"step{step}", seed=step)
    assert weights(tmp_path / "series").keys() == weights(save_gguf(tmp_path / "tiny.gguf")).keys()


@pytest.mark.parametrize("kind", ["folder", "file", "hub"])
def test_its_fingerprint_follows_configuration_and_seed_and_is_not_the_models(kind, local_hub, tmp_path):
    local_hub.add("someone/tiny", save_tiny("llama", tmp_path / "tiny"))
    places = {"folder": tmp_path / "tiny", "file": save_gguf(tmp_path / "tiny.gguf"), "hub": "someone/tiny"}
    model_id = str(places[kind])
    main = fingerprints(model_id)
    twins = [fingerprints(model_id, "untrained", seed) for seed in (0, 0, 1)]
    assert twins[0] == twins[1]
    assert len({known["weights"] for known in (main, *twins)}) == 3
    assert all(twin[part] == main[part] for twin in twins for part in ("tokenizer", "config"))
    if kind == "folder":
        save_tiny("llama", places[kind], intermediate_size=40)
        assert fingerprints(model_id, "untrained")["weights"] != twins[0]["weights"]


def test_its_progress_is_none_made_yet():
    assert hub.progress("untrained") == (0, 0)
    assert sorted(["main", "step10", "untrained"], key=hub.training_order)[0] == "untrained"


# -- runs


@pytest.fixture
def run(tmp_path) -> Run:
    text = tmp_path / "text"
    text.mkdir()
    for code, sentences in zip(LANGUAGES, TEXTS, strict=True):
        (text / f"{code}.txt").write_text("\n".join(sentences) + "\n", encoding="utf-8")
    folder = save_tiny("llama", tmp_path / "tiny")
    return Run(str(folder), corpus=str(text), n_sentences=5, results=tmp_path / "results")


def test_of_a_run_and_its_twin_one_model_is_in_memory_at_a_time(run):
    twin = run.untrained()
    for asked, other in ((run, twin), (twin, run), (run, twin)):
        assert asked.loaded is asked.loaded and asked.loaded.revision == asked.settings.revision
        assert "loaded" in asked._memory and "loaded" not in other._memory


def test_tables_of_many_runs_have_it_first_and_as_a_revision_of_its_own(run):
    pair = (run, run.untrained())
    for each in pair:
        each.activations()
    for each in pair:

        def similarity():
            yield {"sads": float(each.activations().layer(0).mean())}  # noqa: B023

        each.table(similarity)
    together = collate("similarity", run.results)
    assert list(together.revision) == ["untrained", "main"] and list(together.step.fillna(-1)) == [0, -1]
    assert together.sads.nunique() == 2


def test_the_book_calls_it_untrained(run):
    row = Row(run.untrained().settings, ("similarity",))
    assert RunPages(row, run.untrained().folder).revision == "untrained, n_sentences=5"
