"""Time of the tables of chapter 04 on a text as long as a New Testament, beyond reading it with the model.

Fails (exit status 1) when they take more than two minutes together. The size is 10 languages × 7,647 verses ×
6 layers of 512 neurons in float32, as the lab's model has them; `--sentences 1000` takes fewer.
"""

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np

from lingua_utils.measure import similarity
from lingua_utils.measure.activations import Activations
from lingua_utils.measure.sums import SCALES, Vectors

LANGUAGES, SENTENCES, LAYERS, NEURONS = 10, 7647, 6, 512
ALLOWED = 120


def random_layer(seed: int, n_sentences: int) -> np.ndarray:
    """A language's direction, a meaning's direction and noise, float32 [language, sentence, neuron]."""
    rng = np.random.default_rng(seed)
    layer = rng.standard_normal((LANGUAGES, n_sentences, NEURONS), dtype=np.float32)
    layer += rng.standard_normal((LANGUAGES, 1, NEURONS), dtype=np.float32)
    layer += rng.standard_normal((1, n_sentences, NEURONS), dtype=np.float32)
    return layer


def scores(vectors: Vectors) -> None:
    for scale in SCALES:
        similarity.pair_means(vectors, scale=scale)
        similarity.permutation_null(vectors, scale=scale)


def scales(vectors: Vectors) -> None:
    similarity.top_share(vectors)
    for scale in SCALES:
        similarity.retrieval(vectors, scale=scale)


def scores_by_script(vectors: Vectors) -> None:
    for wanted in (True, False):

        def pairs(a: str, b: str, wanted: bool = wanted) -> bool:
            return (int(a[-1]) % 2 == int(b[-1]) % 2) == wanted

        similarity.pair_means(vectors, pairs=pairs)
        similarity.permutation_null(vectors, n_permutations=20, pairs=pairs)


TABLES = {
    "similarity": scores,
    "scales": scales,
    "similarity_by_script": scores_by_script,
    "variance": similarity.sums_of_squares,
    "retrieval": similarity.retrieval,
    "cosines": similarity.mean_cosines,
    "projection": similarity.principal_plane,
}


def seconds(measure: Callable[[Vectors], object], activations: Activations) -> float:
    """Time of one table: each layer, and all of them together."""
    start = time.perf_counter()
    for _, vectors in activations.by_layer():
        measure(vectors)
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sentences", type=int, default=SENTENCES)
    n_sentences = parser.parse_args().sentences
    activations = Activations.from_array([random_layer(seed, n_sentences) for seed in range(LAYERS)])
    taken = {name: seconds(measure, activations) for name, measure in TABLES.items()}
    total = sum(taken.values())
    print(f"{LANGUAGES} languages × {n_sentences:,} sentences × {LAYERS} layers of {NEURONS} neurons:")
    for name, time_taken in taken.items():
        print(f"  {name:22} {time_taken:6.1f} s")
    print(f"  {'together':22} {total:6.1f} s (allowed {ALLOWED} s)")
    return int(total > ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
