"""Memory and time of pair_means: peak extra memory as a share of its input, and time against the double loop.

Fails (exit status 1) when the extra memory exceeds 5 % of the input, or the two disagree by more than 1e-6.
The full size is 10 languages × 1,000 sentences × 100,000 neurons in float32, 4 GB; `--fraction 0.25` takes a
quarter of the neurons. By default it is the largest that fits into half of the free memory.
"""

import argparse
import itertools
import multiprocessing
import os
import resource
import sys
import time

import numpy as np

from lingua_utils.measure.similarity import pair_means

FULL = (10, 1000, 100_000)
SMALL = (4, 50, 512)
ALLOWED = 0.05
# The kernel counts the high-water mark in KiB, macOS in bytes.
UNIT = 1 if sys.platform == "darwin" else 1024


def peak() -> int:
    """High-water mark of this process's resident memory, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT


def random_vectors(shape: tuple[int, int, int]) -> np.ndarray:
    """Standard normal float32 numbers, filled in place so that making them leaves no high-water mark."""
    rng = np.random.default_rng(0)
    vectors = np.empty(shape, dtype=np.float32)
    for language, sentence in np.ndindex(shape[:2]):
        rng.standard_normal(dtype=np.float32, out=vectors[language, sentence])
    return vectors


def measure(fraction: float) -> tuple[int, int, float]:
    """(bytes of input, peak extra bytes, seconds) of one call; in a process of its own."""
    pair_means(random_vectors(SMALL))  # loads what is loaded once
    vectors = random_vectors((*FULL[:2], int(FULL[2] * fraction)))
    before, start = peak(), time.perf_counter()
    pair_means(vectors)
    return vectors.nbytes, peak() - before, time.perf_counter() - start


def double_loop(vectors: np.ndarray) -> tuple[float, float]:
    """LRDS and SADS, pair by pair."""
    cosines = {"language": [], "meaning": [], "neither": []}
    sentences = list(np.ndindex(vectors.shape[:2]))
    for (a, i), (b, j) in itertools.combinations(sentences, 2):
        shared = "language" if a == b else "meaning" if i == j else "neither"
        one, other = vectors[a, i], vectors[b, j]
        cosines[shared].append(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))
    mean = {shared: np.mean(values) for shared, values in cosines.items()}
    return mean["language"] - mean["neither"], mean["meaning"] - mean["neither"]


def fitting_fraction() -> float:
    """The largest fraction of the full size whose input takes at most half of the free memory."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(1.0, free / 2 / (4 * np.prod(FULL, dtype=float)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fraction", type=float, default=None, help="share of the 100,000 neurons, 0 to 1")
    fraction = parser.parse_args().fraction or fitting_fraction()

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        size, extra, seconds = pool.apply(measure, (fraction,))
    share = extra / size
    shape = f"{FULL[0]} languages × {FULL[1]} sentences × {int(FULL[2] * fraction)} neurons"
    print(
        f"{shape}, {size / 1e9:.2f} GB: "
        f"peak extra memory {extra / 1e6:.0f} MB = {share:.1%} of the input (allowed {ALLOWED:.0%}), "
        f"{seconds:.1f} s"
    )

    vectors = random_vectors(SMALL).astype(np.float64)
    start = time.perf_counter()
    slow = double_loop(vectors)
    loop = time.perf_counter() - start
    closed = np.inf
    for _ in range(10):
        start = time.perf_counter()
        fast = pair_means(vectors)
        closed = min(closed, time.perf_counter() - start)
    error = max(abs(slow[0] - fast.lrds), abs(slow[1] - fast.sads))
    print(
        f"{SMALL[0]} × {SMALL[1]} × {SMALL[2]}: double loop {loop:.2f} s, closed form with standard errors "
        f"{closed * 1e3:.1f} ms, {loop / closed:.0f} times faster; they differ by {error:.1e}"
    )
    return int(share > ALLOWED or error > 1e-6)


if __name__ == "__main__":
    sys.exit(main())
