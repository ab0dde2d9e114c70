"""The sentence map: activations in two dimensions, held still from one checkpoint to the next."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lingua_utils.measure.vectors import single

N_MEANINGS = 40  # on the map; in ten languages these are 400 points a layer


def projection(
    vectors: Any,
    kinds: Sequence[str] | None = None,
    languages: Sequence[str] | None = None,
    n_meanings: int = N_MEANINGS,
) -> pd.DataFrame:
    """First two principal components of the directions of some sentences in all languages.

    Parameters
    ----------
    vectors : array, shape [language, sentence, neuron], or Vectors
    kinds : sequence of str, optional
        The kind of each sentence, "all" by default.
    languages : sequence of str, optional
        Names of the languages; their positions by default.
    n_meanings : int
        At most so many sentences, evenly spaced over the corpus and so the same for every model.

    Returns
    -------
    DataFrame
        One row a point: ``language``, ``sentence`` (index in the corpus), ``kind``, ``x``, ``y`` (in units
        of the unit vectors' length). Of a component and its mirror image, the one whose largest coordinate
        is positive.

    Raises
    ------
    ValueError
        As :func:`lingua_utils.measure.similarity.pair_means`.
    """
    vectors = single(vectors, languages)
    names = vectors.languages
    n_points = min(n_meanings, vectors.n_sentences)
    sentences = np.linspace(0, vectors.n_sentences - 1, n_points).round().astype(int)
    gram = 0.0
    for units in vectors.units():
        points = units[:, sentences].reshape(len(names) * n_points, -1).astype(np.float64)
        gram = gram + points @ points.T
    x, y = _components(gram).T
    labels = np.full(vectors.n_sentences, "all") if kinds is None else np.asarray(kinds)
    return pd.DataFrame(
        {
            "language": np.repeat(np.asarray(names), n_points),
            "sentence": np.tile(sentences, len(names)),
            "kind": np.tile(labels[sentences], len(names)),
            "x": x,
            "y": y,
        }
    )


def align(table: pd.DataFrame) -> pd.DataFrame:
    """Turn each checkpoint's map onto the next one's, so that the points move and the axes do not.

    Principal components are free to turn and flip between checkpoints. From the last checkpoint backwards,
    each map is turned by the rotation or reflection that brings it nearest to the one after it (orthogonal
    Procrustes; Schönemann 1966). Distances within a map do not change.

    Parameters
    ----------
    table : DataFrame
        The collated table ``projection``: ``layer``, ``language``, ``sentence``, ``x``, ``y``, and ``step``;
        maps of different ``corpus`` or ``model_id``, where there are such columns, are kept apart. A missing
        step (a final model) comes last.

    Returns
    -------
    DataFrame
        A copy with ``x`` and ``y`` turned, in the same order.
    """
    table = table.copy()
    if table.empty:
        return table
    groups = [name for name in ("corpus", "model_id", "layer") if name in table]
    for _, maps in table.groupby(groups, sort=False):
        later = None
        order = maps["step"].astype("Float64").fillna(np.inf)
        for _, chart in sorted(maps.groupby(order), key=lambda pair: pair[0], reverse=True):
            points = chart.set_index(["language", "sentence"])[["x", "y"]]
            if later is not None:
                common = points.index.intersection(later.index)
                points = points @ _rotation(points.loc[common].to_numpy(), later.loc[common].to_numpy())
                points.columns = ["x", "y"]
            table.loc[chart.index, ["x", "y"]] = points.to_numpy()
            later = points
    return table


def _components(gram: np.ndarray) -> np.ndarray:
    """Scores on the first two principal components, shape [point, 2], from inner products of the points."""
    means = gram.mean(axis=0)
    centred = gram - means - means[:, None] + means.mean()
    values, directions = np.linalg.eigh(centred)
    scores = directions[:, :-3:-1] * np.sqrt(values[:-3:-1].clip(min=0))
    largest = np.abs(scores).argmax(axis=0)
    return scores * np.where(scores[largest, [0, 1]] < 0, -1, 1)


def _rotation(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The orthogonal matrix R for which points @ R is nearest to target."""
    left, _, right = np.linalg.svd(points.T @ target)
    return left @ right
