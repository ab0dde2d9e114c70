"""What capturing costs: against a bare forward, and against generating one token per sentence.

Two promises, measured on a random BLOOM with BLOOM's vocabulary of 250,880 (8 layers, 512 wide) and 400
sentences in ten languages:

- ``capture`` costs at most 1.05 × a bare forward of the headless model over the same batches;
- it is at least 8 × faster than one ``generate(max_new_tokens=1)`` per sentence with hooks, the usual way,
  and its means are equal to those within 1e-5.

The three take turns, capture and bare forward in changing order, and the fastest turn of each counts: what
else a machine does only ever adds time. A turn of the usual way is every so-many-th sentence by length,
scaled up to all.

Run ``python benchmarks/capture_speed.py``; the exit status is 1 where a promise is missed.
"""

import argparse
import sys
import time
from functools import partial

import numpy as np
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import BloomConfig, BloomForCausalLM, PreTrainedTokenizerFast

from lingua_utils.measure.activations import Activations, capture, default_batch_tokens
from lingua_utils.models.batches import in_batches, model_inputs, tokenize
from lingua_utils.models.loading import LoadedModel
from lingua_utils.text.corpus import ParallelCorpus, load_corpus

MOST_OF_A_FORWARD, LEAST_SPEEDUP, LARGEST_DIFFERENCE = 1.05, 8.0, 1e-5
VOCABULARY = 250_880


def big_vocabulary_bloom(texts: list[str]) -> LoadedModel:
    """A random BLOOM, 8 layers of 512, with the real one's vocabulary, and a BPE trained on the texts."""
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(texts, vocab_size=VOCABULARY, show_progress=False)
    torch.manual_seed(0)
    model = BloomForCausalLM(BloomConfig(vocab_size=VOCABULARY, hidden_size=512, n_layer=8, n_head=8))
    return LoadedModel.wrap(model, PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, pad_token="!"))


def bare_forward(loaded: LoadedModel, corpus: ParallelCorpus) -> None:
    """The headless model over the batches that ``capture`` makes, tokenized as there, nothing read."""
    tokens = tokenize(loaded, [text for texts in corpus.texts for text in texts])

    def forward(rows: np.ndarray) -> None:
        inputs, _ = model_inputs(loaded, tokens, rows)
        with torch.inference_mode():
            loaded.base(**inputs)

    in_batches(forward, np.arange(len(tokens.lengths)), tokens.lengths, default_batch_tokens(loaded))


def generated_means(loaded: LoadedModel, texts: list[str]) -> np.ndarray:
    """Means by one ``generate`` per sentence, every down-projection's input kept, [text, layer, neuron]."""
    seen: list[torch.Tensor] = []
    hooks = [
        loaded.module(site).register_forward_pre_hook(lambda module, args: seen.append(args[0]))
        for site in loaded.sites
    ]
    means = []
    for text in texts:
        seen.clear()
        loaded.model.generate(
            **loaded.tokenizer(text, return_tensors="pt"), max_new_tokens=1, do_sample=False
        )
        means.append([values[0].mean(dim=0).numpy() for values in seen[: len(hooks)]])
    for hook in hooks:
        hook.remove()
    return np.array(means)


def seconds(work, *arguments) -> float:
    """How long the work takes."""
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--generated", type=int, default=20, help="sentences of a turn of the usual way")
    options = parser.parse_args()

    corpus = load_corpus("world", n_sentences=40)
    training = load_corpus("world", n_sentences=400, split="train")
    loaded = big_vocabulary_bloom([text for texts in training.texts for text in texts])
    texts = [text for language in corpus.texts for text in language]
    lengths = tokenize(loaded, texts).lengths
    by_length = np.argsort(lengths, kind="stable")
    stride = max(1, len(texts) // options.generated)
    some = [texts[i] for i in by_length[stride // 2 :: stride]]

    def captured() -> Activations:
        return capture(loaded, corpus, progress=False)

    means = captured().values.reshape(len(texts), 8, -1)[by_length[stride // 2 :: stride]]  # also warms up
    difference = float(np.abs(means - generated_means(loaded, some)).max())
    works = [partial(bare_forward, loaded, corpus), captured]
    fastest = dict.fromkeys([*works, generated_means], float("inf"))
    for turn in range(options.turns):
        for work in works[:: -1 if turn % 2 else 1]:
            fastest[work] = min(fastest[work], seconds(work))
        fastest[generated_means] = min(fastest[generated_means], seconds(generated_means, loaded, some))
    bare, capturing, generating = fastest.values()
    generating *= len(texts) / len(some)
    overhead, speedup = capturing / bare, generating / capturing

    print(
        f"{len(texts)} sentences of {lengths.mean():.1f} tokens, {torch.get_num_threads()} thread(s) on "
        f"{loaded.device}, fastest of {options.turns} turns"
    )
    for name, value, promise in (
        ("bare forward, s", bare, ""),
        ("capture, s", capturing, ""),
        (f"generate, s (from {len(some)} sentences)", generating, ""),
        ("capture / bare forward", overhead, f"at most {MOST_OF_A_FORWARD:.2f}"),
        ("generate / capture", speedup, f"at least {LEAST_SPEEDUP:.1f}"),
        ("largest difference of a mean", difference, f"at most {LARGEST_DIFFERENCE:.0e}"),
    ):
        print(f"{name:<40}{value:>12.4g}   {promise}")
    kept = overhead <= MOST_OF_A_FORWARD and speedup >= LEAST_SPEEDUP and difference <= LARGEST_DIFFERENCE
    print("promises kept" if kept else "PROMISE MISSED")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
