"""The lab: small language models of real Hugging Face classes, trained within minutes on the small world.

A model is a row of checkpoints, ``checkpoints/<name>-<digest>/step000600``, each a complete Hugging Face
folder that ``AutoModelForCausalLM.from_pretrained`` loads. Another recipe, another seed or other code that
trains is another digest, and so another folder. A run that was killed goes on from its newest
checkpoint and ends with the same weights, bit for bit, as one that was not: the batch of a step depends on
the recipe and the step alone, nothing else is random, and the number of threads is part of the recipe.

    python -m lingua_utils.models.training bloom-m
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import nn
from torch.nn import functional as F
from tqdm.auto import tqdm
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging as transformers_logging

from lingua_utils.files import writing
from lingua_utils.models.recipes import LAB, Recipe, find_recipe, lab_folder, training_sources
from lingua_utils.text.world import parallel_sentences, training_lines

# A line begins with START, which also ends the line before it.
START, PAD = "<s>", "<pad>"
# Words with their vowel signs (the usual byte-level rule cuts Hindi at each), digits one by one.
_WORDS = r" ?[\p{L}\p{M}]+| ?\p{N}| ?[^\s\p{L}\p{M}\p{N}]+|\s+"

_OPEN_ROWS = 16  # rows that a line may still go into when it is packed
_RESUME, _LOCK = "resume.safetensors", ".lock"


def train(
    name_or_recipe: str | Recipe,
    training_seed: int = 0,
    *,
    folder: str | Path | None = None,
    progress: bool = True,
) -> Path:
    """Train a model of the lab, or go on with it; a finished one is returned at once.

    Parameters
    ----------
    name_or_recipe : str or Recipe
        A key of ``LAB``, or a recipe of your own, which has its seed.
    training_seed : int
        Seed of weights and text of a model named.
    folder : path, optional
        Where to write; a folder named by the recipe and its digest by default. What another recipe left in a
        folder that is given is replaced.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Path
        The folder: ``step000000`` and so on, ``lab.json`` (recipe, digest, code, device, losses in short) and
        ``losses.parquet`` (step, language, loss in nats per token, bits_per_byte; on held-out text).

    Raises
    ------
    ValueError
        For an unknown name.
    FileExistsError
        When the folder holds something else than a model of the lab.
    """
    recipe = find_recipe(name_or_recipe, training_seed)
    folder = lab_folder() / f"{recipe.name}-{recipe.digest[:8]}" if folder is None else Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / _LOCK), _threads(recipe.threads):
        if not _prepare(folder, recipe):
            _train(recipe, folder, progress)
    return folder


def _train(recipe: Recipe, folder: Path, progress: bool) -> None:
    tokenizer = train_tokenizer(recipe)
    batches = pack_batches(recipe, tokenizer)
    held_out = _held_out(recipe, tokenizer)
    # The same start on either; what the weights become differs in the last digits between a CPU and a GPU.
    model = build_model(recipe, tokenizer).to("cuda" if torch.cuda.is_available() else "cpu")
    optimizer = _optimizer(model, recipe)
    resumed, losses = _resume(folder, model, optimizer)
    first = resumed or 0
    # In a log, a line now and then instead of a bar that moves.
    pace = {"mininterval": 0.1 if sys.stderr.isatty() else 10, "disable": not progress}
    with tqdm(initial=first, total=recipe.steps, desc=recipe.name, unit="step", **pace) as bar:
        for step in range(first, recipe.steps + 1):
            if step in recipe.checkpoints and step != resumed:
                losses += [{"step": step, **row} for row in _losses(model, held_out)]
                _save_checkpoint(folder, recipe, step, model, tokenizer)
                _save_state(folder, step, model, optimizer, losses)
            if step == recipe.steps:
                break
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(recipe, step)
            loss = token_loss(model, torch.from_numpy(batches[step].astype(np.int64)))
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            bar.update()
            if step % 10 == 0:
                bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    _write_record(folder, recipe, losses)
    (folder / _RESUME).unlink()


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up, then half a cosine down to a tenth of the peak."""
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    done = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return recipe.learning_rate * (0.1 + 0.9 * (1 + math.cos(math.pi * done)) / 2)


def token_loss(model: PreTrainedModel, tokens: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    """Cross-entropy in nats of each next token in rows [row, position]; padding is not predicted.

    The head runs on the tokens to predict alone, which spares what padding would cost.
    """
    tokens = tokens.to(model.device)
    targets = tokens[:, 1:]
    real = targets != model.config.pad_token_id
    hidden = model.base_model(input_ids=tokens[:, :-1], use_cache=False).last_hidden_state
    return F.cross_entropy(model.lm_head(hidden[real]), targets[real], reduction=reduction)


# ------------------------------------------------------------------ text


def train_tokenizer(recipe: Recipe, n_lines: int = 30_000) -> PreTrainedTokenizerFast:
    """Byte-level BPE learnt from the first lines of the training text; every text begins with ``<s>``."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=recipe.vocab_size,
        special_tokens=[START, PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(
        training_lines(recipe.languages, n_lines, recipe.world, recipe.seed), trainer
    )
    start = tokenizer.token_to_id(START)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A", pair=f"{START} $A {START} $B", special_tokens=[(START, start)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=START, eos_token=START, pad_token=PAD, padding_side="right"
    )


def pack_batches(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> np.ndarray:
    """The whole training text in tokens: uint16 [step, row, position]; no line goes on in another row."""
    n_rows, length = recipe.steps * recipe.rows, recipe.row_length
    rows = np.full((n_rows + _OPEN_ROWS, length), tokenizer.pad_token_id, dtype=np.uint16)
    room = [length] * _OPEN_ROWS
    which = list(range(_OPEN_ROWS))
    for tokens in _encoded_lines(recipe, tokenizer):
        tokens = tokens[:length]
        n = len(tokens)
        slot = next((i for i in range(_OPEN_ROWS) if room[i] >= n), None)
        if slot is None:
            slot = min(range(_OPEN_ROWS), key=room.__getitem__)
            which[slot], room[slot] = max(which) + 1, length
            if which[slot] >= len(rows):
                break
        start = length - room[slot]
        rows[which[slot], start : start + n] = tokens
        room[slot] -= n
    return rows[:n_rows].reshape(recipe.steps, recipe.rows, length)


def _encoded_lines(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> Iterator[list[int]]:
    # Far more lines than any run reads: the stream is cut where the rows are full.
    lines = training_lines(recipe.languages, 1 << 40, recipe.world, recipe.seed)
    while True:
        for encoding in tokenizer.backend_tokenizer.encode_batch_fast(list(islice(lines, 8192))):
            yield encoding.ids


def _held_out(recipe: Recipe, tokenizer: PreTrainedTokenizerFast, n_sentences: int = 64) -> dict:
    """Per language: rows of tokens, and how many bytes of UTF-8 they stand for."""
    texts, _ = parallel_sentences(recipe.languages, n_sentences, "dev", recipe.seed, "latin", recipe.world)
    return {
        language: (
            tokenizer(text, padding=True, return_tensors="pt")["input_ids"],
            sum(len(sentence.encode()) for sentence in text),
        )
        for language, text in zip(recipe.languages, texts, strict=True)
    }


def _losses(model: PreTrainedModel, held_out: dict) -> list[dict]:
    rows = []
    for language, (tokens, n_bytes) in held_out.items():
        with torch.no_grad():
            nats = token_loss(model, tokens, reduction="sum").item()
        n_tokens = int((tokens[:, 1:] != model.config.pad_token_id).sum())
        rows.append(
            {"language": language, "loss": nats / n_tokens, "bits_per_byte": nats / math.log(2) / n_bytes}
        )
    return rows


# ------------------------------------------------------------------ model


# The output embeddings are a matrix of their own: tied to the input's, the neurons of the last layer grow so
# large that a mean over all layers shows that layer alone.


def _bloom(recipe: Recipe, **tokens) -> BloomForCausalLM:
    config = BloomConfig(
        vocab_size=recipe.vocab_size,
        hidden_size=recipe.hidden_size,
        n_layer=recipe.n_layers,
        n_head=recipe.n_heads,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        tie_word_embeddings=False,
        **tokens,
    )
    return BloomForCausalLM(config)


def _llama(recipe: Recipe, **tokens) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=recipe.vocab_size,
        hidden_size=recipe.hidden_size,
        intermediate_size=recipe.mlp_size,
        num_hidden_layers=recipe.n_layers,
        num_attention_heads=recipe.n_heads,
        max_position_embeddings=256,
        tie_word_embeddings=False,
        **tokens,
    )
    return LlamaForCausalLM(config)


_BUILD = {"bloom": _bloom, "llama": _llama}


def build_model(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    """The untrained model; its weights depend on the recipe's seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = _BUILD[recipe.architecture](
            recipe,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    if recipe.architecture == "bloom":
        # BLOOM's own GELU is the same function in eight passes over memory.
        for block in model.transformer.h:
            block.mlp.gelu_impl = nn.GELU(approximate="tanh")
    return model.train()


def _optimizer(model: PreTrainedModel, recipe: Recipe) -> torch.optim.AdamW:
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.95), fused=True)


# ------------------------------------------------------------------ disk


def _prepare(folder: Path, recipe: Recipe) -> bool:
    """Make the folder ready for the recipe; True when its model is already finished."""
    record, digest = folder / "lab.json", recipe.digest
    others = [path for path in folder.iterdir() if path.name != _LOCK]
    if record.exists():
        known = json.loads(record.read_text())
        if known["digest"] == digest:
            for path in others:  # what a killed process was about to write
                if path.name.startswith("."):
                    shutil.rmtree(path)
            return known["finished"]
        print(f"{folder} was trained by another recipe ({known['digest']}, not {digest}): training anew")
    elif others:
        raise FileExistsError(f"{folder} is no model of the lab; name an empty folder, or remove it")
    record.unlink(missing_ok=True)
    for path in others:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    _write_record(folder, recipe, [])
    return False


def _write_record(folder: Path, recipe: Recipe, losses: list[dict]) -> None:
    """``lab.json``: the recipe, whether it is finished, and the loss per language at the end."""
    record = {
        "digest": recipe.digest,
        "finished": bool(losses),
        "recipe": asdict(recipe),
        "sources": training_sources(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "torch": torch.__version__,
        "checkpoints": recipe.checkpoints,
        "losses": {row["language"]: round(row["loss"], 4) for row in losses if row["step"] == recipe.steps},
    }
    with writing(folder / "lab.json") as path:
        path.write_text(json.dumps(record, indent=2) + "\n")


def _save_checkpoint(folder: Path, recipe: Recipe, step: int, model, tokenizer) -> None:
    with writing(folder / f"step{step:06d}", folder=True) as path:
        with _no_shard_bar():
            model.save_pretrained(path)
        tokenizer.save_pretrained(path)
        (path / "lab.json").write_text(json.dumps({"digest": recipe.digest, "step": step}) + "\n")


def _save_state(folder: Path, step: int, model, optimizer, losses: list[dict]) -> None:
    """What the newest checkpoint needs to go on from; written last, so that all else is there when it is."""
    with writing(folder / "losses.parquet") as path:
        pd.DataFrame(losses).to_parquet(path, index=False)
    tensors = {f"model {name}": parameter.detach() for name, parameter in model.named_parameters()}
    for i, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer {i} {name}": tensor for name, tensor in state.items()}
    with writing(folder / _RESUME) as path:
        save_file(tensors, path, metadata={"step": str(step)})


def _resume(folder: Path, model, optimizer) -> tuple[int | None, list[dict]]:
    """Load the newest state into model and optimizer; its step (None at the start) and the losses so far."""
    if not (folder / _RESUME).exists():
        return None, []
    with safe_open(folder / _RESUME, "pt") as state:
        step = int(state.metadata()["step"])
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(state.get_tensor(f"model {name}"))
        saved = optimizer.state_dict()
        for key in state.keys():  # noqa: SIM118 (a safetensors file is no dict)
            if key.startswith("optimizer "):
                _, i, name = key.split(" ")
                saved["state"].setdefault(int(i), {})[name] = state.get_tensor(key)
    optimizer.load_state_dict(saved)
    losses = pd.read_parquet(folder / "losses.parquet")
    return step, losses[losses["step"] <= step].to_dict("records")


@contextmanager
def _threads(n: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _no_shard_bar() -> Iterator[None]:
    # Transformers draws a bar for every file it writes, across ours.
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the models named on the command line, or all but the tiny one."""
    parser = argparse.ArgumentParser(
        prog="python -m lingua_utils.models.training", description=__doc__.split("\n")[0]
    )
    parser.add_argument("names", nargs="*", metavar="name", help=f"any of {', '.join(LAB)}")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and text")
    given = parser.parse_args(arguments)
    for name in given.names or [name for name in LAB if name != "bloom-xs"]:
        print(train(name, given.seed))


if __name__ == "__main__":
    main()
