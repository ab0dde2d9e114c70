"""The lab: deterministic, resumable to the bit, and complete Hugging Face folders."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from lingua_utils.files import source_digest
from lingua_utils.models import recipes, training
from lingua_utils.models.recipes import LAB, Recipe
from lingua_utils.models.training import train
from lingua_utils.text.languages import DEFAULT_LANGUAGES
from lingua_utils.text.world import World, parallel_sentences, training_lines

TINY = Recipe(
    "tiny",
    hidden_size=16,
    mlp_size=64,
    n_layers=2,
    n_heads=2,
    vocab_size=600,
    steps=40,
    rows=8,
    warmup_steps=5,
    languages=("eng_Latn", "fra_Latn", "hin_Deva"),
    threads=1,
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return train(TINY, folder=tmp_path_factory.mktemp("lab") / "tiny", progress=False)


@pytest.fixture(scope="module")
def tokenizer():
    return training.train_tokenizer(replace(TINY, languages=DEFAULT_LANGUAGES, vocab_size=1024))


def same_weights(one, other):
    ours, theirs = (load_file(path / f"step{TINY.steps:06d}" / "model.safetensors") for path in (one, other))
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_equal_recipes_give_equal_weights_to_the_bit(tiny, tmp_path):
    assert same_weights(tiny, train(TINY, folder=tmp_path / "again", progress=False))


def test_another_seed_gives_other_weights(tiny, tmp_path):
    assert not same_weights(tiny, train(replace(TINY, seed=1), folder=tmp_path / "other", progress=False))


# The child stops where it is told, and is killed there: in the middle of a stretch, or after a checkpoint was
# written but before the state to go on from.
STOP = """
import time
from lingua_utils.models import recipes, training
from tests.test_training import TINY
original = training.{function}
def stop(*arguments):
    if {condition}:
        open({marker!r}, "w").close()
        time.sleep(600)
    return original(*arguments)
training.{function} = stop
training.train(TINY, folder={folder!r}, progress=False)
"""


@pytest.mark.parametrize(
    "function, condition, newest",
    [
        ("learning_rate", "arguments[1] == 25", 16),
        ("_save_state", "arguments[1] == 32", 16),
        ("_save_checkpoint", "arguments[2] == 0", None),
    ],
    ids=["between checkpoints", "between a checkpoint and its state", "before the first checkpoint"],
)
def test_a_killed_run_goes_on_and_ends_with_the_same_weights(tiny, tmp_path, function, condition, newest):
    folder, marker = tmp_path / "killed", tmp_path / "marker"
    code = STOP.format(function=function, condition=condition, marker=str(marker), folder=str(folder))
    child = subprocess.Popen([sys.executable, "-c", code], cwd=os.path.dirname(os.path.dirname(__file__)))
    while not marker.exists():
        assert child.poll() is None, "the child ended by itself"
        time.sleep(0.1)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not (folder / "step000040").exists()
    first_weights = folder / "step000016" / "model.safetensors"
    written = first_weights.stat().st_mtime_ns if newest else None

    train(TINY, folder=folder, progress=False)

    assert same_weights(tiny, folder)
    assert newest is None or first_weights.stat().st_mtime_ns == written
    pd.testing.assert_frame_equal(*(pd.read_parquet(path / "losses.parquet") for path in (tiny, folder)))
    assert {path.name for path in folder.iterdir()} == {path.name for path in tiny.iterdir()}


def test_a_finished_model_is_returned_at_once(tiny, monkeypatch):
    monkeypatch.setattr(training, "_train", lambda *arguments: pytest.fail("trained again"))
    assert train(TINY, folder=tiny) == tiny


def test_another_recipe_replaces_the_model_and_says_so(tmp_path, capsys):
    short = replace(TINY, steps=2)
    folder = train(short, folder=tmp_path / "lab", progress=False)
    train(replace(short, steps=3), folder=folder, progress=False)
    assert "another recipe" in capsys.readouterr().out
    assert {path.name for path in folder.glob("step*")} == {"step000000", "step000003"}


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="is no model of the lab"):
        train(TINY, folder=tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="no model 'bloom-l'; it has bloom-s"):
        train("bloom-l")


def test_every_checkpoint_is_a_complete_hugging_face_folder(tiny):
    for step in TINY.checkpoints:
        folder = tiny / f"step{step:06d}"
        model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
        assert type(model).__name__ == "BloomForCausalLM"
        assert tokenizer.pad_token_id == model.config.pad_token_id is not None
        assert (
            model(**tokenizer(["Japan", "Euro (France)"], padding=True, return_tensors="pt"))
            .logits.isfinite()
            .all()
        )
        assert json.loads((folder / "lab.json").read_text()) == {"digest": TINY.digest, "step": step}
    assert not list(tiny.rglob("*.bin")) + list(tiny.rglob("*.pt")) + list(tiny.glob("resume*"))


def test_a_loaded_checkpoint_is_the_model_that_was_trained(tiny):
    model = AutoModelForCausalLM.from_pretrained(tiny / "step000040")
    tokenizer = AutoTokenizer.from_pretrained(tiny / "step000040")
    texts, _ = parallel_sentences(TINY.languages, 64, "dev", TINY.seed, "latin", TINY.world)
    losses = pd.read_parquet(tiny / "losses.parquet").query("step == 40").set_index("language")
    for language, text in zip(TINY.languages, texts, strict=True):
        nats, n_tokens = 0.0, 0
        for sentence in text:
            ids = tokenizer(sentence, return_tensors="pt")["input_ids"]
            nats += model(input_ids=ids, labels=ids).loss.item() * (ids.shape[1] - 1)
            n_tokens += ids.shape[1] - 1
        assert nats / n_tokens == pytest.approx(losses.loss[language], rel=1e-4)
        n_bytes = len("".join(text).encode())
        assert nats / np.log(2) / n_bytes == pytest.approx(losses.bits_per_byte[language], rel=1e-4)


def test_training_is_plain_adamw_that_decays_matrices_alone(tmp_path):
    recipe = replace(TINY, steps=3, warmup_steps=2, weight_decay=5.0)
    folder = train(recipe, folder=tmp_path / "three", progress=False)
    batches = training.pack_batches(recipe, training.train_tokenizer(recipe)).astype(int)
    start, model, end = (AutoModelForCausalLM.from_pretrained(folder / f"step{n:06d}") for n in (0, 0, 3))
    parts = [[p for p in model.parameters() if (p.ndim > 1) == decays] for decays in (True, False)]
    groups = [{"params": part, "weight_decay": decay} for part, decay in zip(parts, (5.0, 0.0), strict=True)]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.95))
    for batch, rate in zip(torch.tensor(batches), (0.5, 1, 1), strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate * recipe.learning_rate
        optimizer.zero_grad()
        labels = batch.masked_fill(batch == model.config.pad_token_id, -100)
        model.train()(input_ids=batch, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    moved, apart = (
        sum((p - q).square().sum() for p, q in zip(end.parameters(), other.parameters(), strict=True))
        for other in (start, model)
    )
    assert apart < 1e-4 * moved


def test_llama_has_gated_neurons(tmp_path):
    recipe = replace(TINY, architecture="llama", mlp_size=24, steps=2)
    folder = train(recipe, folder=tmp_path / "llama", progress=False)
    model = AutoModelForCausalLM.from_pretrained(folder / "step000002")
    assert type(model).__name__ == "LlamaForCausalLM"
    assert model.model.layers[0].mlp.down_proj.in_features == 24
    assert model.model.layers[0].mlp.gate_proj.out_features == 24


def test_losses_are_logged_per_language_and_fall(tiny):
    losses = pd.read_parquet(tiny / "losses.parquet")
    assert list(losses.columns) == ["step", "language", "loss", "bits_per_byte"]
    assert len(losses) == len(TINY.checkpoints) * len(TINY.languages)
    by_step = losses.pivot(index="language", columns="step", values="loss")
    assert (by_step[40] < by_step[0] - 0.2).all()
    assert by_step[0].to_numpy() == pytest.approx(np.log(600), abs=0.2)
    record = json.loads((tiny / "lab.json").read_text())
    assert record["finished"] and record["recipe"]["seed"] == TINY.seed
    assert set(record["losses"]) == set(TINY.languages)


def test_token_loss_is_that_of_hugging_face_and_blind_to_padding():
    tokenizer = training.train_tokenizer(TINY, n_lines=500)
    model = training.build_model(TINY, tokenizer).eval()
    tokens = torch.randint(2, TINY.vocab_size, (3, 20), generator=torch.Generator().manual_seed(0))
    theirs = model(input_ids=tokens, labels=tokens).loss
    assert training.token_loss(model, tokens).item() == pytest.approx(theirs.item(), abs=1e-5)
    padded = torch.cat([tokens, torch.full((3, 9), tokenizer.pad_token_id)], dim=1)
    assert training.token_loss(model, padded).item() == pytest.approx(theirs.item(), abs=1e-5)


def test_the_fast_gelu_is_that_of_bloom():
    from transformers.models.bloom.modeling_bloom import BloomGelu

    values = torch.linspace(-6, 6, 1000)
    model = training.build_model(TINY, training.train_tokenizer(TINY, n_lines=500))
    torch.testing.assert_close(model.transformer.h[0].mlp.gelu_impl(values), BloomGelu()(values))


def test_rows_hold_whole_lines_of_the_training_text(tokenizer):
    # Twice as long as the lab's rows: this small tokenizer would cut its longest lines.
    recipe = replace(TINY, languages=DEFAULT_LANGUAGES, vocab_size=1024, row_length=128)
    batches = training.pack_batches(recipe, tokenizer)
    assert batches.shape == (recipe.steps, recipe.rows, recipe.row_length)
    assert (batches[..., 0] == tokenizer.bos_token_id).all()
    text = tokenizer.batch_decode(batches.reshape(-1, recipe.row_length).astype(int))
    lines = {line for row in text for line in row.replace(training.PAD, "").split(training.START)[1:]}
    known = set(training_lines(recipe.languages, 3000, recipe.world, recipe.seed))
    assert len(lines) > 500 and lines <= known


@pytest.mark.parametrize(("name", "cut"), [("bloom-m", 0.01), ("bloom-mispaired", 0.01), ("bloom-xs", 0.07)])
def test_a_row_of_the_lab_holds_whole_lines_but_for_the_share_that_is_stated(name, cut):
    recipe = LAB[name]
    lines = list(training_lines(recipe.languages, 5000, recipe.world, recipe.seed))
    lengths = [len(ids) for ids in training.train_tokenizer(recipe)(lines)["input_ids"]]
    assert np.mean(np.array(lengths) > recipe.row_length) < cut


def test_rows_are_nearly_full(tokenizer):
    batches = training.pack_batches(replace(TINY, languages=DEFAULT_LANGUAGES, steps=200), tokenizer)
    assert (batches != tokenizer.pad_token_id).mean() > 0.9


def test_the_tokenizer_gives_every_text_back(tokenizer):
    texts, _ = parallel_sentences(None, 30, digits="latin")
    for text in texts:
        assert tokenizer.batch_decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text
    assert tokenizer("€ unseen ♞ 字")["input_ids"][0] == tokenizer.bos_token_id


def test_the_tokenizer_keeps_vowel_signs_with_their_word(tokenizer):
    pieces = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str("हिन्दी (भारत) 42")
    assert [span for _, span in pieces] == [(0, 6), (6, 8), (8, 12), (12, 13), (13, 15), (15, 16)]


def test_threads_are_as_before_after_training(tiny):
    before = torch.get_num_threads()
    train(replace(TINY, threads=before + 1, steps=1), folder=tiny.parent / "threads", progress=False)
    assert torch.get_num_threads() == before


def test_the_learning_rate_rises_then_falls_to_a_tenth():
    rates = [training.learning_rate(TINY, step) for step in range(TINY.steps + 1)]
    assert max(rates) == rates[5] == rates[4] == TINY.learning_rate
    assert rates[-1] == pytest.approx(TINY.learning_rate / 10)
    assert all(later <= earlier for earlier, later in itertools.pairwise(rates[5:]))


@pytest.mark.parametrize(
    ("name", "dial"),
    [("bloom-m-monolingual", "bilingual_share"), ("bloom-mispaired", "second"), ("bloom-apart", "second")],
)
def test_control_and_placebos_differ_from_the_model_in_one_dial(name, dial):
    model, other = asdict(LAB["bloom-m"]), asdict(LAB[name])
    assert model.pop("name") != other.pop("name")
    assert model["world"].pop(dial) != other["world"].pop(dial)
    assert model == other


def test_the_lab_has_the_models_of_the_book():
    of_one_size = {"bloom-m", "bloom-m-monolingual", "bloom-mispaired", "bloom-apart"}
    assert set(LAB) == of_one_size | {"bloom-s", "llama-m", "bloom-xs", "bloom-m-long"}


def test_checkpoints_are_log_spaced_from_zero_to_the_end_and_none_comes_just_before_it():
    assert LAB["bloom-m"].checkpoints == (0, 16, 32, 64, 100, 200, 300, 400, 600, 800)
    assert replace(TINY, steps=1240).checkpoints[-3:] == (600, 800, 1240)
    assert replace(TINY, steps=1280).checkpoints[-3:] == (800, 1200, 1280)


def test_the_digest_depends_on_recipe_and_text():
    assert replace(TINY).digest == TINY.digest
    assert replace(TINY, seed=5).digest != TINY.digest
    assert replace(TINY, world=World(seed=1)).digest != TINY.digest


@pytest.mark.parametrize(
    "change, message",
    [
        ({"architecture": "gpt"}, "no architecture 'gpt'"),
        ({"mlp_size": 63}, "mlp_size is 63"),
        ({"languages": ("eng_Lat",)}, "eng_Lat"),
    ],
)
def test_impossible_recipes_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)


def test_the_lab_lives_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("LINGUA_CHECKPOINTS", str(tmp_path))
    assert recipes.lab_folder() == tmp_path
    recipe = replace(TINY, steps=1)
    assert train(recipe, progress=False) == tmp_path / f"tiny-{recipe.digest[:8]}"


@pytest.fixture
def lab(monkeypatch, tmp_path):
    """A lab of its own, with one model that is trained in a moment."""
    monkeypatch.setenv("LINGUA_CHECKPOINTS", str(tmp_path))
    monkeypatch.setitem(LAB, "tiny", replace(TINY, steps=1))
    return tmp_path


def test_another_recipe_is_trained_into_another_folder_and_the_first_one_stays(lab, monkeypatch):
    first = train("tiny", progress=False)
    monkeypatch.setitem(LAB, "tiny", replace(TINY, steps=2))
    second = train("tiny", progress=False)
    assert first != second and (first / "step000001").is_dir() and (second / "step000002").is_dir()
    assert recipes.lab_model_folder("tiny") == second


def test_other_code_that_trains_is_another_folder(lab, monkeypatch):
    first = recipes.lab_model_folder("tiny")
    monkeypatch.setattr(recipes, "training_sources", lambda: {"training": "edited"})
    assert recipes.lab_model_folder("tiny") != first


def test_comments_and_docstrings_of_the_code_that_trains_do_not_count(tmp_path):
    one, other, edited = (tmp_path / f"{name}.py" for name in ("one", "other", "edited"))
    one.write_text('def f(x):\n    """Words."""\n    return x + 1\n')
    other.write_text("# why\ndef f(x):\n    return (x  +  1)  # more\n")
    edited.write_text("def f(x):\n    return x + 2\n")
    digests = [source_digest(path) for path in (one, other, edited)]
    assert digests[0] == digests[1] != digests[2]


def test_seeds_have_folders_and_weights_of_their_own(lab):
    folders = [train("tiny", seed, progress=False) for seed in (0, 1)]
    assert len(set(folders)) == 2
    weights = [load_file(folder / "step000000" / "model.safetensors") for folder in folders]
    assert not all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert json.loads((folders[1] / "lab.json").read_text())["recipe"]["seed"] == 1


def test_the_record_names_recipe_code_device_and_torch(lab):
    record = json.loads((train("tiny", progress=False) / "lab.json").read_text())
    assert record["recipe"]["name"] == "tiny" and record["finished"]
    assert set(record["sources"]) == {"training", "world", "phrasebook", "cldr"}
    assert record["torch"] == torch.__version__ and record["device"]


def test_two_processes_that_train_one_model_wait_for_each_other(lab):
    code = "from tests import test_training as t; t.training.LAB['tiny'] = t.replace(t.TINY, steps=1); "
    code += "print(t.train('tiny', progress=False))"
    root = os.path.dirname(os.path.dirname(__file__))
    command = [sys.executable, "-c", code]
    environment = os.environ | {"PYTHONPATH": os.path.join(root, "tests")}
    both = [
        subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    printed = [process.communicate(timeout=120)[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert printed[0] == printed[1] and (lab / os.path.basename(printed[0]) / "step000001").is_dir()
