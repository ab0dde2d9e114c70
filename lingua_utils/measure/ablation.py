"""Silence neurons while a model reads, and measure what that costs, beside matched random neurons.

Regions are selected on one split and measured on another; every cost stands beside that of random regions
of the same size, because silencing any neurons costs something.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from math import log
from typing import TYPE_CHECKING

import numpy as np
import torch

from lingua_utils.measure.activations import Activations
from lingua_utils.measure.intervals import margin
from lingua_utils.measure.perplexity import Scorer, influence
from lingua_utils.models.loading import LoadedModel

if TYPE_CHECKING:
    from lingua_utils.text.corpus import ParallelCorpus


@contextmanager
def silence(
    loaded: LoadedModel, region: np.ndarray, to: str = "zero", means: np.ndarray | None = None
) -> Iterator[None]:
    """Hold some neurons fixed for the length of a ``with`` block.

    The inputs of the down-projections are replaced on their way in, so it works for the model with and
    without its head, in any precision and on any devices. Nothing of the model changes: after the block, left
    by an error too, it computes exactly what it did before. Blocks can be nested; where they overlap, the
    inner one decides.

    Parameters
    ----------
    loaded : LoadedModel
    region : bool array, shape [layer, neuron]
        Layers in the order of ``loaded.sites``, as wide as the widest. True is silent.
    to : {"zero", "mean"}
        What silent neurons are held at.
    means : array, shape [layer, neuron]
        For ``to="mean"``, each neuron's mean activation: :func:`mean_activations`. Without, its mean over all
        tokens of the batch at hand, padding included: good for a look, but it depends on the batch.

    Raises
    ------
    ValueError
        For a region or means of another shape, a neuron a layer does not have, or means that are not used.

    Examples
    --------
    >>> with silence(loaded, regions.of("fra_Latn")):  # doctest: +SKIP
    ...     without_french = score(loaded, texts)
    """
    region = check_region(loaded, region)
    if to not in ("zero", "mean"):
        raise ValueError(f"neurons can be silenced to 'zero' or 'mean', not {to!r}")
    if means is not None and (to == "zero" or np.shape(means) != region.shape):
        use = "but neurons are silenced to zero" if to == "zero" else f"but the region {region.shape}"
        raise ValueError(f"means of shape {np.shape(means)} are given, {use}")

    with ExitStack() as hooks:
        for i, site in enumerate(loaded.sites):
            if not region[i].any():
                continue
            value = None if to == "mean" else torch.zeros(())
            if means is not None:
                value = torch.as_tensor(np.asarray(means[i, : site.width], dtype=np.float32))
            silent = torch.from_numpy(region[i, : site.width].copy())
            hook = loaded.module(site).register_forward_pre_hook(partial(_hold, silent, value))
            hooks.callback(hook.remove)
        yield


def _hold(silent: torch.Tensor, value: torch.Tensor | None, _: torch.nn.Module, arguments: tuple) -> tuple:
    neurons = arguments[0]
    if value is None:
        value = neurons.float().flatten(end_dim=-2).mean(dim=0)
    return (torch.where(silent.to(neurons.device), value.to(neurons), neurons), *arguments[1:])


def check_region(loaded: LoadedModel, region: np.ndarray) -> np.ndarray:
    """A region as an array; ValueError where it does not fit the model, with the numbers."""
    widths = np.array([site.width for site in loaded.sites])
    region, expected = np.asarray(region), (len(widths), widths.max())
    if region.shape != expected:
        raise ValueError(
            f"region has shape {region.shape}, but {loaded.model_id} has {expected[0]} layers of up to "
            f"{expected[1]} neurons: give a [layer, neuron] array of shape {tuple(map(int, expected))}"
        )
    if region.dtype != bool:
        raise ValueError(f"region holds {region.dtype}, not bool: give True for every neuron to silence")
    beyond = np.argwhere(region & (np.arange(expected[1]) >= widths[:, None]))
    if len(beyond):
        layer, neuron = beyond[0]
        raise ValueError(f"region has neuron {neuron} of layer {layer}, which has only {widths[layer]}")
    return region


@dataclass(frozen=True, eq=False)
class Change:
    """What silencing some neurons changes, sentence by sentence, against the intact model.

    Attributes
    ----------
    nll : array, shape [language, sentence]
        Nats more than intact.
    n_bytes, n_tokens : int arrays, shape [language, sentence]
        What was scored of each sentence.
    """

    nll: np.ndarray
    n_bytes: np.ndarray
    n_tokens: np.ndarray

    @property
    def per_byte(self) -> np.ndarray:
        """Bits per byte more than intact, shape [language]."""
        return self.nll.sum(axis=1) / log(2) / self.n_bytes.sum(axis=1)

    @property
    def influences(self) -> np.ndarray:
        """Of each sentence on that, shape [language, sentence]; ``intervals.margin`` takes them."""
        return influence(self.nll, self.n_bytes)

    @property
    def log_ratio(self) -> np.ndarray:
        """Log of the perplexity over that of the intact model, in nats per token, shape [language]."""
        return self.nll.sum(axis=1) / self.n_tokens.sum(axis=1)

    @property
    def log_ratio_influences(self) -> np.ndarray:
        """Of each sentence on the log ratio, shape [language, sentence]."""
        return influence(self.nll, self.n_tokens) * log(2)


class SilencingText:
    """Text made ready once, to measure what silencing costs each language as often as needed.

    Parameters
    ----------
    loaded : LoadedModel
    corpus : ParallelCorpus
        Sentences that the regions were not selected on.
    to, means
        As for :func:`silence`.
    """

    def __init__(
        self, loaded: LoadedModel, corpus: ParallelCorpus, to: str = "zero", means: np.ndarray | None = None
    ) -> None:
        self._loaded, self._to, self._means = loaded, to, means
        self._scorer = Scorer(loaded, [text for texts in corpus.texts for text in texts])
        self._shape = (corpus.n_languages, corpus.n_sentences)
        self._intact = self._scorer.score().nll.reshape(self._shape)

    def _change(self, nll: np.ndarray) -> Change:
        return Change(
            nll, self._scorer.n_bytes.reshape(self._shape), self._scorer.n_tokens.reshape(self._shape)
        )

    @property
    def intact(self) -> np.ndarray:
        """Bits per byte of the intact model, shape [language]."""
        return self._change(self._intact).per_byte

    def change(self, region: np.ndarray) -> Change:
        """What silencing a region, bool [layer, neuron], costs every sentence."""
        with silence(self._loaded, region, self._to, self._means):
            # With nothing silent there is nothing to measure.
            silenced = self._scorer.score().nll.reshape(self._shape) if np.any(region) else self._intact
        return self._change(silenced - self._intact)


def own_less_others(values: np.ndarray, own: int) -> np.ndarray:
    """One language's value less the mean of the others'; of influences likewise, meaning by meaning.

    Parameters
    ----------
    values : array, shape [language, ...]
    own : int
        Position of the language.

    Returns
    -------
    array, shape [...]
    """
    return values[own] - np.delete(values, own, axis=0).mean(axis=0)


def over_draws(values: np.ndarray, influences: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of an estimate over draws, and its 95 % interval over sentences and over draws.

    Parameters
    ----------
    values : array, shape [draw, ...]
        Of a region, which is not drawn, one: then the interval is over sentences only.
    influences : array, shape [draw, ..., sentence]
        The draws were measured on the same sentences, so that their errors do not cancel in the mean.

    Returns
    -------
    mean, low, high : arrays, shape [...]
    """
    mean, half = values.mean(axis=0), margin(influences.mean(axis=0))
    if len(values) > 1:
        half = np.hypot(half, margin(np.moveaxis(values - mean, 0, -1) / len(values)))
    return mean, mean - half, mean + half


def own_and_others(change: Change, own: int) -> dict:
    """What one language loses, what the others lose on average, and the difference, with intervals.

    Parameters
    ----------
    change : Change
    own : int
        Position of the language among those of the text.

    Returns
    -------
    dict
        In bits per byte ``own``, ``others`` and ``difference``, each with ``_low`` and ``_high`` (95 % over
        sentences), and ``own_exceeds_others``: whether the interval of the difference is above 0.
    """
    value, influences = change.per_byte, change.influences
    row = {}
    for name, estimate, parts in (
        ("own", value[own], influences[own]),
        ("others", np.delete(value, own).mean(), np.delete(influences, own, axis=0).mean(axis=0)),
        # Sentences are parallel, so the errors of the languages are taken off each other meaning by meaning.
        ("difference", own_less_others(value, own), own_less_others(influences, own)),
    ):
        half = margin(parts)
        row |= {name: estimate, f"{name}_low": estimate - half, f"{name}_high": estimate + half}
    return row | {"own_exceeds_others": bool(row["difference_low"] > 0)}


def beside_controls(change: Change, own: int, controls: Sequence[Change]) -> dict:
    """What one language loses beside what it loses under random regions, on the same sentences.

    Parameters
    ----------
    change : Change
    own : int
        Position of the language among those of the text.
    controls : sequence of Change
        What random regions cost, one for each draw.

    Returns
    -------
    dict
        In bits per byte ``control_own``, with ``_low`` and ``_high`` (95 % over sentences and draws),
        ``control_others`` and ``control_difference``, with its standard deviation ``_sd`` over draws;
        ``excess``: by how much the region's difference exceeds the controls' mean, with ``_low`` and
        ``_high``, sentence by sentence; ``selectivity``: the excess in standard deviations of the controls'
        difference (NaN where they do not vary); ``own_exceeds_controls``: own is above that of every
        control; ``n_controls``.

    Raises
    ------
    ValueError
        For controls that were measured on other sentences.
    """
    if other := [one.nll.shape for one in controls if not np.array_equal(one.n_bytes, change.n_bytes)]:
        raise ValueError(
            f"a control was measured on other sentences ({other[0]}) than the region ({change.nll.shape}): "
            "measure both on the same"
        )
    costs = np.stack([one.per_byte for one in controls])  # [draw, language]
    parts = np.stack([one.influences for one in controls])  # [draw, language, sentence]
    differences = own_less_others(costs.T, own)
    spread = differences.std(ddof=1) if len(controls) > 1 else np.nan
    excess = over_draws(
        own_less_others(change.per_byte, own) - differences,
        own_less_others(change.influences, own) - own_less_others(parts.swapaxes(0, 1), own),
    )
    own_costs = over_draws(costs[:, own], parts[:, own])
    return {
        **dict(zip(("control_own", "control_own_low", "control_own_high"), own_costs, strict=True)),
        "control_others": np.delete(costs, own, axis=1).mean(),
        "control_difference": differences.mean(),
        "control_difference_sd": spread,
        **dict(zip(("excess", "excess_low", "excess_high"), excess, strict=True)),
        "selectivity": excess[0] / spread if spread > 0 else np.nan,
        "own_exceeds_controls": bool(change.per_byte[own] > costs[:, own].max()),
        "n_controls": len(controls),
    }


def perplexity_ratio(changes: Sequence[Change]) -> dict[str, np.ndarray]:
    """Perplexity with neurons silent over that of the intact model, language by language.

    Parameters
    ----------
    changes : sequence of Change
        Of one region, or of several random ones, whose geometric mean is taken.

    Returns
    -------
    dict
        ``ratio``, ``low``, ``high`` (95 % over sentences and draws), each of shape [language]; above 0,
        and 1 where nothing changes.
    """
    logs = over_draws(
        np.stack([one.log_ratio for one in changes]), np.stack([one.log_ratio_influences for one in changes])
    )
    return dict(zip(("ratio", "low", "high"), np.exp(logs), strict=True))


def perplexity_excess(rows: Sequence[Sequence[Change]], own: Sequence[int]) -> dict[str, float]:
    """How much more a region multiplies its own language's perplexity than the others', over all regions.

    The diagonal of the matrix of perplexities over the rest of each row: own ratio over the geometric mean of
    the others', and of that the geometric mean over rows.

    Parameters
    ----------
    rows : sequence, shape [region, draw]
        What each region changes (one draw), or random ones in its place (as many draws for each region).
    own : sequence of int
        Position of each region's language among those of the text.

    Returns
    -------
    dict
        ``excess``, ``low``, ``high`` (95 % over sentences and draws); 1 where nothing is selective.
    """
    pairs = list(zip(rows, own, strict=True))
    values = [[own_less_others(one.log_ratio, at) for one in row] for row, at in pairs]
    parts = [[own_less_others(one.log_ratio_influences, at) for one in row] for row, at in pairs]
    logs = over_draws(np.mean(values, axis=0), np.mean(parts, axis=0))
    return dict(zip(("excess", "low", "high"), map(float, np.exp(logs)), strict=True))


# -- random neurons to set beside a region


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
    return _stacked([activations.layer(i).mean(axis=(0, 1)) for i in range(len(activations.layers))])


def mean_magnitudes(activations: Activations) -> np.ndarray:
    """Mean size of activations over languages and sentences, float32, [layer, neuron], padded with 0."""
    return _stacked([np.abs(activations.layer(i)).mean(axis=(0, 1)) for i in range(len(activations.layers))])


def _stacked(layers: list[np.ndarray]) -> np.ndarray:
    stacked = np.zeros((len(layers), max(map(len, layers))), dtype=np.float32)
    for row, layer in zip(stacked, layers, strict=True):
        row[: len(layer)] = layer
    return stacked
