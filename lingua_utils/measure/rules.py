"""The four rules that select key neurons, each with what it would select if languages were chance.

Every rule takes activations and its settings and returns what it :class:`Found`.
:func:`lingua_utils.measure.regions.key_regions` documents and calls them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from math import ceil, sqrt
from typing import Any

import numpy as np

from lingua_utils.measure import selection
from lingua_utils.measure.activations import Activations
from lingua_utils.measure.sums import Sums
from lingua_utils.measure.vectors import sums_of

NULL_VALUES = 200_000  # pooled null statistics wanted at least, so that small p-values can be told apart
NULL_LIMIT = 20_000_000  # and at most, to bound the memory


@dataclass(frozen=True, eq=False)
class Found:
    """What a rule selected: lists over layers of arrays [language, neuron], and its null."""

    region: list[np.ndarray]
    score: list[np.ndarray]
    expected: np.ndarray  # [language, layer]
    expected_share: float
    settings: dict[str, Any] = field(default_factory=dict)  # those the rule chose itself


def scores(activations: Activations | Sums) -> list[np.ndarray]:
    """Neuron scores of every layer, float64, shape [language, neuron]; see ``regions.neuron_scores``."""
    n_sentences, sums = activations.n_sentences, sums_of(activations)
    if n_sentences < 2:
        raise ValueError(f"{n_sentences} sentence: a score is a mean over pairs and needs at least 2")
    if sums is not None:
        units = sums.over_layers
        pairs = [
            (total.sum(axis=0), square) for total, square in zip(units.totals, units.squares, strict=True)
        ]
    else:
        weights = unit_weights(activations)
        pairs = (
            selection.weighted_sums(activations.layer(i), weights) for i in range(len(activations.layers))
        )
    return [selection.pair_scores(totals, squares, n_sentences) for totals, squares in pairs]


def unit_weights(activations: Activations) -> np.ndarray:
    """1 / norm of every sentence over all layers concatenated, shape [language, sentence].

    Raises
    ------
    ValueError
        For a sentence of norm 0; the message names it.
    """
    squared = np.zeros((len(activations.languages), activations.n_sentences))
    for i in range(len(activations.layers)):
        for language, sentences in enumerate(activations.layer(i)):
            doubles = sentences.astype(np.float64)
            squared[language] += np.einsum("mn,mn->m", doubles, doubles)
    silent = np.argwhere(squared == 0)
    if len(silent):
        language, sentence = silent[0]
        raise ValueError(
            f"{activations.languages[language]} sentence {sentence} has no activation in any layer, so "
            "it has no direction; leave that sentence out"
        )
    return 1 / np.sqrt(squared)


def zscore(activations: Activations | Sums, seed: int, threshold: float, n_shuffles: int) -> Found:
    """The paper's rule: a score more than ``threshold`` standard deviations above its mean over languages."""
    n_languages = len(activations.languages)
    largest = sqrt(n_languages - 1)
    if threshold >= largest:
        raise ValueError(
            f"z > {float(threshold)} cannot occur with {n_languages} languages (the largest possible is "
            f"√({n_languages}−1) = {round(largest, 2)}); lower the threshold or add languages"
        )
    z = [_standardized(score) for score in scores(activations)]
    by_chance = [np.zeros((n_languages, width)) for width in activations.widths]
    any_by_chance = 0
    weights = None if sums_of(activations) is not None else unit_weights(activations)
    for i, count in enumerate(by_chance):
        for shuffled in _shuffled_scores(activations, i, weights, n_shuffles, seed):
            selected = _standardized(shuffled) > threshold
            count += selected.sum(axis=0)
            any_by_chance += selected.any(axis=1).sum()
    return Found(
        region=[layer > threshold for layer in z],
        score=z,
        expected=np.stack([count.sum(axis=1) for count in by_chance], axis=1) / n_shuffles,
        expected_share=any_by_chance / n_shuffles / sum(activations.widths),
    )


def calibrated(
    activations: Activations | Sums, seed: int, rate: float, margin: float, n_shuffles: int
) -> Found:
    """Prominent languages, at a false discovery rate against shuffled languages."""
    n_languages, n_layers = len(activations.languages), len(activations.layers)
    n_tests = n_languages * sum(activations.widths)
    n_shuffles = min(max(n_shuffles, ceil(NULL_VALUES / n_tests)), max(2, NULL_LIMIT // n_tests))
    layers = []
    for i in range(n_layers):
        values = _meanings(activations, i)
        size = values.shape[:2]
        dealings = chain([selection.as_dealt(*size)], selection.shuffles(*size, n_shuffles, seed))
        parts = [selection.prominence(values, marks, margin) for marks in dealings]
        layers.append([np.concatenate(part) for part in zip(*parts, strict=True)])
    # As dealt first, then the shuffles.
    statistic, material = (np.concatenate(part, axis=2) for part in zip(*layers, strict=True))
    null = np.sort(statistic[1:], axis=None)
    region, *by_chance = (
        selection.discoveries(selection.pooled_p_values(found, null), rate) & enough
        for found, enough in zip(statistic, material, strict=True)
    )
    ends = np.cumsum(activations.widths)[:-1]
    return Found(
        region=np.split(region, ends, axis=1),
        score=np.split(statistic[0], ends, axis=1),
        expected=_expected(by_chance, ends),
        expected_share=float(np.mean([selected.any(axis=0).mean() for selected in by_chance])),
        settings={"n_shuffles": n_shuffles},
    )


def lape(activations: Activations, seed: int, share: float, activity: float, n_shuffles: int) -> Found:
    """The neurons of lowest activation probability entropy, each to the languages that it is active in."""
    n_languages, n_layers = len(activations.languages), len(activations.layers)
    ends = np.cumsum(activations.widths)[:-1]
    probability = np.concatenate([activations.positive(i) for i in range(n_layers)], axis=1)
    region, entropy = _low_entropy(probability, share, activity)
    score = np.broadcast_to(np.log(n_languages) - entropy, probability.shape)
    found = {"region": np.split(region, ends, axis=1), "score": np.split(score, ends, axis=1)}
    if activations.keep == "sums":
        return Found(**found, expected=np.full((n_languages, n_layers), np.nan), expected_share=np.nan)
    shuffled = [
        np.concatenate([
            selection.dealt_sums(activations.layer(i), marks, lambda some: some > 0)
            for marks in selection.shuffles(n_languages, activations.n_sentences, n_shuffles, seed)
        ])
        for i in range(n_layers)
    ]  # fmt: skip
    by_chance = [
        _low_entropy(counts / activations.n_sentences, share, activity)[0]
        for counts in np.concatenate(shuffled, axis=2)
    ]
    return Found(
        **found,
        expected=_expected(by_chance, ends),
        expected_share=float(np.mean([selected.any(axis=0).mean() for selected in by_chance])),
    )


def ap(activations: Activations, seed: int, share: float, k: int | None, bottom: bool) -> Found:
    """The neurons that detect a language best, and those that do worst, by average precision.

    The rule selects the same number whatever the activations, so the null is that number spread evenly.
    """
    n_languages, n_neurons = len(activations.languages), sum(activations.widths)
    k = max(1, round(share * n_neurons)) if k is None else k
    selected = k * (2 if bottom else 1)
    if not 1 <= k <= selected <= n_neurons:
        raise ValueError(
            f"k={k} neurons{' at either end' if bottom else ''}, but there are {n_neurons} in all"
        )
    precision = np.concatenate(
        [selection.average_precision(activations.layer(i)) for i in range(len(activations.layers))], axis=1
    )
    order = np.argsort(precision, axis=1, kind="stable")
    region = np.zeros(precision.shape, dtype=bool)
    np.put_along_axis(region, order[:, -k:], True, axis=1)
    if bottom:
        np.put_along_axis(region, order[:, :k], True, axis=1)
    ends = np.cumsum(activations.widths)[:-1]
    evenly = selected * np.array(activations.widths) / n_neurons
    return Found(
        region=np.split(region, ends, axis=1),
        score=np.split(np.abs(precision - 1 / n_languages), ends, axis=1),
        expected=np.tile(evenly, (n_languages, 1)),
        expected_share=1 - (1 - selected / n_neurons) ** n_languages,
        settings={"k": k},
    )


METHODS = {
    "zscore": (zscore, {"threshold": 2.0, "n_shuffles": 20}),
    "calibrated": (calibrated, {"rate": 0.05, "margin": 0.5, "n_shuffles": 20}),
    "lape": (lape, {"share": 0.01, "activity": 0.95, "n_shuffles": 5}),
    "ap": (ap, {"share": 0.01, "k": None, "bottom": True}),
}


def _meanings(activations: Activations | Sums, layer: int) -> np.ndarray:
    """One layer, [language, sentence, neuron], or where only sums were kept the mean of each group."""
    sums = sums_of(activations)
    if sums is None:
        return activations.layer(layer)
    seen = sums.counts > 0
    means = sums.over_layers.totals[layer][seen] / sums.counts[seen, None, None]
    return means.transpose(1, 0, 2)


def _shuffled_scores(
    activations: Activations | Sums, layer: int, weights: np.ndarray | None, n_shuffles: int, seed: int
) -> Iterator[np.ndarray]:
    """Neuron scores after each shuffle, shape [shuffle, language, neuron], a few shuffles at a time."""
    values, sums = _meanings(activations, layer), sums_of(activations)
    if sums is not None:
        weights = np.broadcast_to(sums.counts[sums.counts > 0], values.shape[:2])
        # Squares are not kept by group: what a language is dealt has, on average, those of all languages.
        squares = sums.over_layers.squares[layer].mean(axis=0)
    scale = weights[..., None].astype(np.float32)
    for marks in selection.shuffles(*values.shape[:2], n_shuffles, seed):
        totals = selection.dealt_sums(values, marks, lambda some: some * scale)
        if sums is None:
            squares = selection.dealt_sums(values, marks, lambda some: np.square(some * scale))
        yield selection.pair_scores(totals, squares, activations.n_sentences)


def _standardized(values: np.ndarray) -> np.ndarray:
    """z over languages, the last axis but one; 0 where languages do not differ."""
    centred = values - values.mean(axis=-2, keepdims=True)
    spread = values.std(axis=-2, keepdims=True)
    return np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)


def _low_entropy(probability: np.ndarray, share: float, activity: float) -> tuple[np.ndarray, np.ndarray]:
    """Region of LAPE and entropy, from P(activation > 0), shape [language, neuron]."""
    entropy = selection.activation_entropy(probability)
    place = min(max(round(activity * probability.size), 1), probability.size) - 1
    active = probability > np.partition(probability, place, axis=None)[place]
    candidates = np.flatnonzero(active.any(axis=0))
    n_kept = min(round(share * probability.shape[1]), len(candidates))
    kept = candidates[np.argsort(entropy[candidates], kind="stable")[:n_kept]]
    region = np.zeros(probability.shape, dtype=bool)
    region[:, kept] = active[:, kept]
    return region, entropy


def _expected(by_chance: list[np.ndarray], ends: np.ndarray) -> np.ndarray:
    """Mean count over shuffles, shape [language, layer], of selections of shape [language, neuron]."""
    counts = [[part.sum(axis=1) for part in np.split(selected, ends, axis=1)] for selected in by_chance]
    return np.mean(counts, axis=0).T
