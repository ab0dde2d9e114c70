"""Memory of a capture: kept, or written to a folder as batches come.

A promise, on a random BLOOM of 32 layers, 64 wide (8,192 neurons): written to a folder, further sentences add
at most 15 % of what their activations take there (their text and token ids), because only a batch is held.
Kept in memory, they add all of it. Each capture is a process of its own, whose high-water mark is read.

Run ``python benchmarks/capture_memory.py``; the exit status is 1 where the promise is missed.
"""

import argparse
import multiprocessing
import sys
import tempfile
from pathlib import Path

import torch
from capture_on_gpu import Form, random_bloom, random_corpus
from similarity_memory import peak

from lingua_utils.measure.activations import capture

FORM = Form(width=64, layers=32, heads=4, n_sentences=20_000)
FEWER, MOST = 4, 0.15


def measure(n_sentences: int, streamed: bool) -> int:
    """Peak memory, in bytes, of this process while it captures so many sentences."""
    torch.set_num_threads(1)
    loaded, corpus = random_bloom(FORM, torch.device("cpu")), random_corpus(n_sentences)
    with tempfile.TemporaryDirectory() as place:
        capture(loaded, corpus, progress=False, folder=Path(place) / "activations" if streamed else None)
    return peak()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sentences", type=int, default=FORM.n_sentences)
    many = parser.parse_args().sentences
    few = many // FEWER
    added = (many - few) * FORM.kept_bytes / FORM.n_sentences * 1.25  # counts take a byte beside each float
    shares = {}
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for name, streamed in (("kept in memory", False), ("written to a folder", True)):
            less, more = (pool.apply(measure, (n, streamed)) for n in (few, many))
            shares[name] = (more - less) / added
            print(
                f"{name:<20} {few:,} sentences {less / 1e6:.0f} MB, {many:,} sentences {more / 1e6:.0f} MB: "
                f"{shares[name]:.0%} of the {added / 1e6:.0f} MB of activations that came with them"
            )
    kept = shares["written to a folder"] <= MOST
    print(f"promise {'kept' if kept else 'MISSED'}: written to a folder, at most {MOST:.0%}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
