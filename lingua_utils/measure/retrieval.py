"""Cross-lingual retrieval: is a sentence's nearest neighbour in another language its translation?"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lingua_utils.measure.trends import Z95
from lingua_utils.measure.vectors import Vectors, single

CELLS = 1 << 24  # cosines held at once: 64 MiB in float32


def retrieval(
    vectors: Any, languages: Sequence[str] | None = None, centre: str | None = "language"
) -> pd.DataFrame:
    """How often the sentence of highest cosine in another language is the translation.

    Parameters
    ----------
    vectors : array, shape [language, sentence, neuron], or Vectors
        ``vectors[a, i]`` and ``vectors[b, i]`` translate each other.
    languages : sequence of str, optional
        Names of the languages; their positions by default.
    centre : {"language", None}
        Subtract each language's own mean first (the default). A language shifts all its sentences by a
        constant, and what lies nearest to another language's constant would win over what means the same
        (Libovický et al. 2020). The means use no knowledge of who translates whom. ``None``: the vectors as
        they are.

    Returns
    -------
    DataFrame
        One row an ordered pair of languages: ``source``, ``target``, ``accuracy`` (share of source sentences
        whose nearest target sentence is the translation; of several equally near the first counts),
        ``accuracy_low``, ``accuracy_high`` (95 % Wilson), ``mutual`` (share of meanings whose two sentences
        are each other's nearest), ``chance`` (1 / sentences), ``n_sentences``.

    Raises
    ------
    ValueError
        With fewer than 2 languages or sentences, or another ``centre``.
    """
    if centre not in ("language", None):
        raise ValueError(f"centre={centre!r}: it is 'language' or None")
    vectors = single(vectors, languages)
    if centre == "language":
        vectors = Vectors([layer.centred(per_language=True) for layer in vectors.layers])
    n_sentences = vectors.n_sentences
    found = _nearest(vectors) == np.arange(n_sentences)  # [source, target, sentence]
    source, target = np.nonzero(~np.eye(len(vectors.languages), dtype=bool))
    accuracy = found.mean(axis=-1)[source, target]
    low, high = wilson(accuracy, n_sentences)
    names = np.asarray(vectors.languages)
    return pd.DataFrame(
        {
            "source": names[source],
            "target": names[target],
            "accuracy": accuracy,
            "accuracy_low": low,
            "accuracy_high": high,
            "mutual": (found & found.swapaxes(0, 1)).mean(axis=-1)[source, target],
            "chance": 1 / n_sentences,
            "n_sentences": n_sentences,
        }
    )


def wilson(share: np.ndarray | float, n: np.ndarray | int) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's 95 % interval of a share of n trials: within [0, 1], and of some width also at 0 and 1.

    A share that is NaN, as that of no trials, has the limits NaN.
    """
    share = np.asarray(share, dtype=np.float64)
    middle = (n * share + Z95**2 / 2) / (n + Z95**2)
    half = Z95 * np.sqrt(n * share * (1 - share) + Z95**2 / 4) / (n + Z95**2)
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def _nearest(vectors: Vectors) -> np.ndarray:
    """Index of the nearest sentence of each language, shape [source, target, sentence]."""
    n_languages, n_sentences = len(vectors.languages), vectors.n_sentences
    nearest = np.zeros((n_languages, n_languages, n_sentences), dtype=np.int64)
    for source in range(n_languages - 1):
        others = n_languages - 1 - source
        best = np.full((others, n_sentences), -np.inf, dtype=np.float32)
        back = nearest[source + 1 :, source]
        step = max(1, CELLS // (others * n_sentences))
        for start in range(0, n_sentences, step):
            some = slice(start, start + step)
            # One matrix serves both directions: its rows are the source's sentences, its columns the others'.
            cosines = sum(
                units[source, some] @ units[source + 1 :].swapaxes(1, 2) for units in vectors.units()
            )
            nearest[source, source + 1 :, some] = cosines.argmax(axis=2)
            closer = cosines.max(axis=1) > best
            back[closer] = start + cosines.argmax(axis=1)[closer]
            best = np.maximum(best, cosines.max(axis=1))
    return nearest
