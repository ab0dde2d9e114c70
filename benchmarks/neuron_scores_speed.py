"""What selecting neurons costs: the closed form against the loop over pairs, and average precision.

Two promises:

- ``neuron_scores`` equals the loop over pairs of sentences within 1e-6 and is, at M = 400 sentences, at least
  M / 4 times faster;
- ``average_precision`` of 100,000 neurons on 1,000 sentences in 10 languages takes under 30 s on 2 cores, and
  equals scikit-learn's.

Run ``python benchmarks/neuron_scores_speed.py``; the exit status is 1 where a promise is missed.
``--share 0.1`` measures a tenth of the neurons and scales up.
"""

import argparse
import sys
import time

import numpy as np
from sklearn.metrics import average_precision_score

from lingua_utils.measure.activations import Activations
from lingua_utils.measure.regions import average_precision, neuron_scores

N_SENTENCES, LARGEST_DIFFERENCE = 400, 1e-6
AP_SHAPE, AP_NEURONS, AP_SECONDS = (10, 1000, 5000), 100_000, 30.0


def pair_loop(values: np.ndarray) -> np.ndarray:
    """The score as the paper writes it: a mean over pairs of sentences, one pair at a time."""
    n_languages, n_sentences = values.shape[:2]
    units = values / np.sqrt(np.square(values).sum(axis=(2, 3), keepdims=True))
    scores = np.zeros((n_languages, *values.shape[2:]))
    for language in range(n_languages):
        for m in range(n_sentences):
            for other in range(m + 1, n_sentences):
                scores[language] += units[language, m] * units[language, other]
    return scores / (n_sentences * (n_sentences - 1) / 2)


def seconds(function, argument, repeats: int = 1) -> tuple[float, np.ndarray]:
    """The fastest of some calls, and what it returned."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = function(argument)
        times.append(time.perf_counter() - start)
    return min(times), result


def closed_form() -> bool:
    values = np.random.default_rng(0).standard_normal((2, N_SENTENCES, 6, 512)).astype(np.float32)
    activations = Activations.from_array(values)
    slow, expected = seconds(pair_loop, values)
    fast, found = seconds(neuron_scores, activations, repeats=3)
    speedup, difference = slow / fast, np.abs(found - expected).max()
    print(
        f"neuron_scores, {N_SENTENCES} sentences: {fast * 1e3:.0f} ms, the loop over pairs {slow:.1f} s: "
        f"{speedup:.0f} × (at least {N_SENTENCES / 4:.0f} ×), equal within {difference:.0e}"
    )
    return speedup >= N_SENTENCES / 4 and difference <= LARGEST_DIFFERENCE


def precision(share: float) -> bool:
    rng = np.random.default_rng(0)
    n_blocks = max(1, round(share * AP_NEURONS / AP_SHAPE[2]))
    total = 0.0
    for _ in range(n_blocks):
        values = rng.standard_normal(AP_SHAPE, dtype=np.float32)
        taken, found = seconds(average_precision, values)
        total += taken
    total *= AP_NEURONS / (n_blocks * AP_SHAPE[2])
    labels = np.repeat(np.arange(AP_SHAPE[0]), AP_SHAPE[1])
    checked = [(3, 0), (9, AP_SHAPE[2] - 1)]
    expected = [average_precision_score(labels == i, values[:, :, neuron].ravel()) for i, neuron in checked]
    difference = max(abs(found[pair] - value) for pair, value in zip(checked, expected, strict=True))
    print(
        f"average_precision, {AP_NEURONS:,} neurons × {AP_SHAPE[1]:,} sentences × {AP_SHAPE[0]} languages: "
        f"{total:.1f} s (under {AP_SECONDS:.0f} s), equal to scikit-learn's within {difference:.0e}"
    )
    return total < AP_SECONDS and difference <= LARGEST_DIFFERENCE


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="share of the neurons of average precision")
    share = parser.parse_args().share
    kept = [closed_form(), precision(share)]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
