"""What capturing costs on a GPU, on a model as large as BLOOM-7b1: seconds, memory, and use of the chip.

Two promises, on a random BLOOM of the 7b1's shape (30 layers, 4,096 wide, a vocabulary of 250,880) in
bfloat16 and 10,000 sentences of 40 tokens on average, a thousand in each of ten languages:

- ``capture`` takes less than 60 s;
- it costs at most 1.05 × a bare forward of the headless model over the same batches.

Reported beside them: the peak of the GPU's memory, and the share of its peak FLOP/s that is put to use. The
weights are drawn on the GPU itself. Sentences are random words of one token each, so that their lengths are
known. The host needs 20 GB to keep their activations. The two take turns, and the median turn counts.

Without a GPU, or with too small a one, the same lines come from a small model of the same form; they are no
promise, and the last line says that the GPU's figure is still to be measured.

Run ``python benchmarks/capture_on_gpu.py``; the exit status is 1 where a promise is missed on a GPU.
"""

import argparse
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np
import psutil
import torch
from capture_speed import MOST_OF_A_FORWARD, VOCABULARY, bare_forward
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, BloomConfig, PreTrainedTokenizerFast

from lingua_utils.measure.activations import capture
from lingua_utils.models import devices
from lingua_utils.models.batches import tokenize
from lingua_utils.models.loading import LoadedModel
from lingua_utils.text.corpus import ParallelCorpus
from lingua_utils.text.languages import DEFAULT_LANGUAGES

MOST_SECONDS = 60.0
MEAN_TOKENS = 40

# Dense FLOP/s of the tensor cores in bfloat16, or float16 where a chip has no bfloat16; an H100 PCIe is one
# of its own, so it stands before the H100.
PEAKS = {
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "H200": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "A10G": 70e12,
    "A10": 125e12,
    "V100": 125e12,
    "T4": 65e12,
}


@dataclass(frozen=True)
class Form:
    """A BLOOM of some size, and how many sentences it is to read."""

    width: int
    layers: int
    heads: int
    n_sentences: int

    @property
    def kept_bytes(self) -> int:
        """What the sentences' activations take in the host's memory: 4 widths of neurons, in float32."""
        return self.n_sentences * self.layers * 4 * self.width * 4

    @property
    def n_parameters(self) -> int:
        """Parameters, all but biases and norms; the head is the embedding."""
        return self.width * VOCABULARY + self.layers * 12 * self.width**2


BLOOM_7B1 = Form(width=4096, layers=30, heads=32, n_sentences=10_000)
SMALL = Form(width=256, layers=4, heads=4, n_sentences=60)


def peak_flops(name: str) -> float | None:
    """Peak FLOP/s of a chip, by the name that its driver gives it; None where the table has none."""
    return next((peak for chip, peak in PEAKS.items() if re.search(rf"\b{chip}\b", name)), None)


def forward_flops(loaded: LoadedModel, lengths: np.ndarray) -> float:
    """Floating-point operations of one forward of the headless model over sentences of these lengths.

    Two for each parameter and token, embeddings aside as they are only looked up; and in each layer, for
    each pair of tokens of a sentence, two for each channel of their query and key and two of their value.
    Padding is not counted: it is no use of the chip.
    """
    lengths = lengths.astype(float)
    embedding = loaded.base.get_input_embeddings().weight.numel()
    parameters = sum(parameter.numel() for parameter in loaded.base.parameters()) - embedding
    attention = 4 * len(loaded.sites) * loaded.base.config.hidden_size * np.square(lengths).sum()
    return 2 * parameters * lengths.sum() + attention


def random_bloom(form: Form, device: torch.device) -> LoadedModel:
    """A random BLOOM in bfloat16, drawn on its device, whose tokens are the words w1, w2, ..."""
    words = {"<pad>": 0} | {f"w{i}": i for i in range(1, VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    config = BloomConfig(
        vocab_size=VOCABULARY, hidden_size=form.width, n_layer=form.layers, n_head=form.heads
    )
    torch.manual_seed(0)
    with device:
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    return LoadedModel.wrap(model, PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>"))


def random_corpus(n_sentences: int, seed: int = 0) -> ParallelCorpus:
    """Sentences of random words in ten languages, of 40 words on average and 14 more or less."""
    rng = np.random.default_rng(seed)
    languages = DEFAULT_LANGUAGES[:10]
    lengths = 1 + rng.poisson(
        rng.gamma(9.0, (MEAN_TOKENS - 1) / 9, (len(languages), n_sentences // len(languages)))
    )
    texts = tuple(
        tuple(" ".join(f"w{word}" for word in rng.integers(1, VOCABULARY, length)) for length in of_language)
        for of_language in lengths
    )
    return ParallelCorpus("random words", languages, texts, "dev")


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes, to the end of what it asked of the GPU."""
    start = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def why_not(device: torch.device) -> str | None:
    """Why the promise cannot be measured here, or None where it can."""
    if device.type != "cuda":
        return "no CUDA device here"
    free = devices.free_memory(device)[0]
    needed = devices.memory_needed(BLOOM_7B1.n_parameters, torch.bfloat16)
    if free < needed:
        name = torch.cuda.get_device_name(device)
        return f"{name} has {free / 1e9:.0f} GB free, and {needed / 1e9:.0f} GB are needed"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    missing = why_not(device)
    form = SMALL if missing else BLOOM_7B1
    loaded, corpus = random_bloom(form, device), random_corpus(form.n_sentences)
    if (free := psutil.virtual_memory().available) < 1.2 * form.kept_bytes:
        print(f"the activations take {form.kept_bytes / 1e9:.0f} GB of memory, {free / 1e9:.0f} are free")
        return 1
    lengths = tokenize(loaded, [text for texts in corpus.texts for text in texts]).lengths

    def captured(part: ParallelCorpus = corpus) -> None:
        capture(loaded, part, progress=False)

    few = corpus.select(slice(0, 20))
    bare_forward(loaded, few)  # warms up
    captured(few)
    bare, captures, peak = [], [], 0
    for _ in range(options.turns):
        bare.append(seconds(lambda: bare_forward(loaded, corpus)))
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        captures.append(seconds(captured))
        on_gpu = device.type == "cuda"
        # Of a process, no system-independent peak is told: what it holds after a turn stands for it.
        held = torch.cuda.max_memory_allocated(device) if on_gpu else psutil.Process().memory_info().rss
        peak = max(peak, held)
    taken = median(captures)
    overhead = median(c / b for c, b in zip(captures, bare, strict=True))
    achieved = forward_flops(loaded, lengths) / taken
    chip = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    possible = peak_flops(chip) if device.type == "cuda" else None

    print(
        f"{lengths.size:,} sentences of {lengths.mean():.1f} tokens, BLOOM of {form.layers} layers, "
        f"{form.width:,} wide, in bfloat16 on {chip}, median of {options.turns} turns"
    )
    share = f"{achieved / possible:.1%}" if possible else "unknown chip"
    where = "of the GPU" if device.type == "cuda" else "of the process"
    for name, value, promise in (
        ("bare forward, s", f"{median(bare):.4g}", ""),
        ("capture, s", f"{taken:.4g}", f"less than {MOST_SECONDS:.0f}"),
        ("capture / bare forward", f"{overhead:.3f}", f"at most {MOST_OF_A_FORWARD:.2f}"),
        (f"peak memory {where}, GB", f"{peak / 1e9:.2f}", ""),
        ("TFLOP/s achieved", f"{achieved / 1e12:.4g}", ""),
        ("share of the chip's peak FLOP/s", share, ""),
    ):
        print(f"{name:<40}{value:>14}   {'' if missing else promise}".rstrip())
    if missing:
        print(f"the GPU figure is still to be measured: {missing}")
        return 0
    kept = taken < MOST_SECONDS and overhead <= MOST_OF_A_FORWARD
    print("promises kept" if kept else "PROMISE MISSED")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
