"""Memory and time of pair_means: peak extra memory as a share of its input, and time against the double loop.

Fails (exit status 1) when the extra memory exceeds 5 % of the input, or the two disagree by more than 1e-6.
The full size is 10 languages × 1,000 sentences × 100,000 neurons in float32, 4 GB; by default a quarter of
the neurons is taken, `--fraction 1` takes all.
"""

import argparse
import itertools
import sys
import time
import tracemalloc

import numpy as np

from lingua_utils.measure.similarity import pair_means

FULL = (10, 1000, 100_000)
SMALL = (4, 50, 512)
ALLOWED = 0.05


def random_vectors(shape: tuple[int, int, int]) -> np.ndarray:
    """Standard normal float32 numbers, filled in place: they alone are in memory."""
    rng = np.random.default_rng(0)
    vectors = np.empty(shape, dtype=np.float32)
    for language, sentence in np.ndindex(shape[:2]):
        rng.standard_normal(dtype=np.float32, out=vectors[language, sentence])
    return vectors


def measure(fraction: float) -> tuple[int, int, float]:
    """(bytes of input, peak extra bytes, seconds) of one call; numpy tells tracemalloc of its arrays."""
    vectors = random_vectors((*FULL[:2], int(FULL[2] * fraction)))
    tracemalloc.start()
    start = time.perf_counter()
    pair_means(vectors)
    seconds = time.perf_counter() - start
    _, extra = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return vectors.nbytes, extra, seconds


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fraction", type=float, default=0.25, help="share of the 100,000 neurons, 0 to 1")
    fraction = parser.parse_args().fraction
    size, extra, seconds = measure(fraction)
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
        fast = pair_means(vectors, scale="raw")
        closed = min(closed, time.perf_counter() - start)
    error = max(abs(slow[0] - fast.lrds), abs(slow[1] - fast.sads))
    print(
        f"{SMALL[0]} × {SMALL[1]} × {SMALL[2]}: double loop {loop:.2f} s, closed form with standard errors "
        f"{closed * 1e3:.1f} ms, {loop / closed:.0f} times faster; they differ by {error:.1e}"
    )
    return int(share > ALLOWED or error > 1e-6)


if __name__ == "__main__":
    sys.exit(main())
