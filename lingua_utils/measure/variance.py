"""How much of what neurons do is due to the language, how much to the meaning."""

from typing import Any

import numpy as np
import pandas as pd

from lingua_utils.measure.vectors import Stack, check_counts, sums_of


def variance_by_neuron(activations: Any) -> list[np.ndarray]:
    """Share of each neuron's variance between languages, between meanings, and the rest.

    The balanced two-way decomposition with one value a cell: sums of squares over their total. In pure noise
    the shares are in proportion to the degrees of freedom, L − 1, M − 1 and (L − 1)(M − 1).

    Parameters
    ----------
    activations : Activations, Sums or array of shape [language, sentence, layer, neuron]

    Returns
    -------
    list over layers of float arrays, shape [3, neuron]
        Rows: language, meaning, rest; each column sums to 1, and is NaN for a neuron that never varies.
    """
    return [_shares(parts) for parts in _variances(activations)[1]]


def variance_shares(activations: Any) -> pd.DataFrame:
    """Share of the variance of all neurons of a layer between languages, between meanings, and the rest.

    As :func:`variance_by_neuron`, with sums of squares added over neurons first.

    Returns
    -------
    DataFrame
        One row a layer, then one of all layers (``layer`` "all", ``layer_index`` -1): ``language``,
        ``meaning``, ``rest``, which sum to 1.
    """
    labels, parts = _variances(activations)
    pooled = [part.sum(axis=1) for part in parts]
    shares = [_shares(part) for part in (*pooled, sum(pooled))]
    table = pd.DataFrame(shares, columns=["language", "meaning", "rest"])
    table.insert(0, "layer", [*labels, "all"])
    table.insert(1, "layer_index", [*range(len(labels)), -1])
    return table


def _variances(activations: Any) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """Layer labels, and sums of squares [language, meaning, rest; neuron] of each layer."""
    sums = sums_of(activations)
    if sums is not None:
        check_counts(len(sums.languages), sums.n_sentences)
        stored = zip(sums.raw_totals, sums.raw_squares, sums.raw_meanings, strict=True)
        return sums.layers, [_decompose(*parts, sums.n_sentences) for parts in stored]
    layers = Stack.of(activations).layers
    parts = []
    for layer in layers:
        n_languages, n_sentences, width = layer.shape
        totals, squares, meanings = np.zeros((n_languages, width)), np.zeros(width), np.zeros(width)
        for _, neurons, tile in layer.tiles():
            totals[:, neurons] += tile.sum(axis=1)
            squares[neurons] += np.einsum("lmn,lmn->n", tile, tile)
            meanings[neurons] += np.square(tile.sum(axis=0)).sum(axis=0)
        parts.append(_decompose(totals, squares, meanings, n_sentences))
    return tuple(layer.label for layer in layers), parts


def _decompose(totals: np.ndarray, squares: np.ndarray, meanings: np.ndarray, n_sentences: int) -> np.ndarray:
    """Two-way sums of squares [language, meaning, rest; neuron], from sums of a and of squares."""
    n_languages = len(totals)
    grand = np.square(totals.sum(axis=0)) / (n_languages * n_sentences)
    language = np.square(totals).sum(axis=0) / n_sentences - grand
    meaning = meanings / n_languages - grand
    return np.stack([language, meaning, squares - grand - language - meaning]).clip(min=0)


def _shares(parts: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return parts / parts.sum(axis=0)
