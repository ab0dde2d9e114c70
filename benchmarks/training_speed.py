"""How fast a lab model trains, against the plain loop: the model's own loss and its own GELU.

    python benchmarks/training_speed.py --model bloom-m --steps 20

Prints tokens per second of both (padding not counted), their ratio, and what the whole run would take.
"""

import argparse
import time
from dataclasses import replace

import torch
from transformers.models.bloom.modeling_bloom import BloomGelu

from lingua_utils.models import recipes, training


def plain_loss(model, tokens):
    """What a first version would write: labels of the same rows, padding ignored, every logit computed."""
    labels = tokens.masked_fill(tokens == model.config.pad_token_id, -100)
    return model(input_ids=tokens, labels=labels).loss


def seconds_per_step(model, recipe, batches, loss_of):
    optimizer = training._optimizer(model, recipe)
    times = []
    for tokens in batches:
        start = time.perf_counter()
        loss_of(model, tokens).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="bloom-m")
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    recipe = recipes.find_recipe(arguments.model)
    torch.set_num_threads(recipe.threads)

    start = time.perf_counter()
    tokenizer = training.train_tokenizer(recipe)
    batches = torch.from_numpy(
        training.pack_batches(replace(recipe, steps=arguments.steps), tokenizer).astype("int64")
    )
    print(f"tokenizer and text of {arguments.steps} steps: {time.perf_counter() - start:.1f} s")

    plain = training.build_model(recipe, tokenizer)
    if recipe.architecture == "bloom":
        for block in plain.transformer.h:
            block.mlp.gelu_impl = BloomGelu()
    baseline = seconds_per_step(plain, recipe, batches, plain_loss)
    ours = seconds_per_step(training.build_model(recipe, tokenizer), recipe, batches, training.token_loss)
    n_tokens = (batches != tokenizer.pad_token_id).sum().item() / len(batches)
    print(f"{recipe.name}: {n_tokens / ours:,.0f} tokens/s; plain loop {n_tokens / baseline:,.0f}")
    print(f"ratio {baseline / ours:.2f}; all {recipe.steps} steps: {ours * recipe.steps / 60:.1f} min")


if __name__ == "__main__":
    main()
