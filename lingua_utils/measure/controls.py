"""Random neurons to set beside a region, so that what it does can be told from what any neurons do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lingua_utils.measure.activations import Activations
from lingua_utils.measure.vectors import sums_of


def random_regions(
    region: np.ndarray,
    n_draws: int = 10,
    seed: int = 0,
    magnitude: np.ndarray | None = None,
    widths: Sequence[int] | None = None,
) -> np.ndarray:
    """Random neurons to set beside a region: as many in every layer, none of its own.

    Parameters
    ----------
    region : bool array, shape [layer, neuron]
    n_draws : int
    seed : int
    magnitude : array, shape [layer, neuron], optional
        How large activations are (:func:`mean_magnitudes`). Given, every neuron of the region is replaced by
        one near it in the layer's order of magnitude, within a twentieth of the ranks where that many are
        free; else all neurons of the layer are equally likely.
    widths : sequence of int, optional
        Neurons of each layer, where they differ.

    Returns
    -------
    bool array, shape [draw, layer, neuron]
        In a layer of which the region holds more than half there are too few others: then they are all drawn,
        and the rest from the region.

    Raises
    ------
    ValueError
        For a region that is no [layer, neuron], a magnitude of another shape, or fewer than 1 draw.
    """
    region = np.asarray(region, dtype=bool)
    if region.ndim != 2:
        raise ValueError(f"region has shape {region.shape}, expected [layer, neuron]")
    if magnitude is not None and np.shape(magnitude) != region.shape:
        raise ValueError(f"magnitude has shape {np.shape(magnitude)}, the region {region.shape}")
    if n_draws < 1:
        raise ValueError(f"n_draws is {n_draws}; it must be at least 1")
    rng = np.random.default_rng(seed)
    drawn = np.zeros((n_draws, *region.shape), dtype=bool)
    for layer, own in enumerate(region):
        own = own[: None if widths is None else widths[layer]]
        others, count = np.flatnonzero(~own), int(own.sum())
        if count >= len(others):
            rest = rng.permuted(np.tile(np.flatnonzero(own), (n_draws, 1)), axis=1)[:, : count - len(others)]
            chosen = np.concatenate([np.tile(others, (n_draws, 1)), rest], axis=1)
        elif magnitude is None:
            chosen = rng.permuted(np.tile(others, (n_draws, 1)), axis=1)[:, :count]
        else:
            others = others[np.argsort(magnitude[layer][others], kind="stable")]
            near = np.searchsorted(magnitude[layer][others], np.sort(magnitude[layer][: len(own)][own]))
            chosen = others[_distinct_near(near, len(others), n_draws, rng)]
        np.put_along_axis(drawn[:, layer], chosen, True, axis=1)
    return drawn


def _distinct_near(near: np.ndarray, size: int, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Distinct ranks below ``size`` close to the sorted ones of ``near``, shape [draw, len(near)]."""
    reach = max(2, size // 20)
    ranks = np.sort(near + rng.integers(-reach, reach, (n_draws, len(near)), endpoint=True), axis=1)
    step = np.arange(len(near))
    # Rank i at least i, at most that far from the end, and one more than rank i − 1.
    ranks = np.maximum.accumulate(np.clip(ranks - step, 0, None), axis=1)
    return np.minimum(ranks, size - len(near)) + step


def mean_activations(activations: Activations) -> np.ndarray:
    """Mean activation of every neuron over languages and sentences, float32, shape [layer, neuron].

    Layers narrower than the widest are padded with 0.
    """
    if (sums := sums_of(activations)) is not None:
        return _stacked([total.mean(axis=0) / sums.n_sentences for total in sums.raw_totals])
    return _stacked([activations.layer(i).mean(axis=(0, 1)) for i in range(len(activations.layers))])


def mean_magnitudes(activations: Activations) -> np.ndarray:
    """Mean absolute activation over languages and sentences, float32, shape [layer, neuron].

    Where only sums were kept, the root of the mean square. Padded with 0.
    """
    if (sums := sums_of(activations)) is not None:
        n = len(sums.languages) * sums.n_sentences
        return _stacked([np.sqrt(square / n) for square in sums.raw_squares])
    return _stacked([np.abs(activations.layer(i)).mean(axis=(0, 1)) for i in range(len(activations.layers))])


def _stacked(layers: list[np.ndarray]) -> np.ndarray:
    stacked = np.zeros((len(layers), max(map(len, layers))), dtype=np.float32)
    for row, layer in zip(stacked, layers, strict=True):
        row[: len(layer)] = layer
    return stacked
