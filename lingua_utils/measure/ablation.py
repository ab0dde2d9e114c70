"""Silence neurons while a model reads, and measure what that costs, beside matched random neurons.

Regions are selected on one split and measured on another; every cost stands beside that of random regions
of the same size, because silencing any neurons costs something.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from math import log
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from lingua_utils.measure.activations import Activations
from lingua_utils.measure.controls import mean_activations, mean_magnitudes, random_regions
from lingua_utils.measure.perplexity import Scorer, influence, margin
from lingua_utils.models.loading import LoadedModel

if TYPE_CHECKING:
    from lingua_utils.measure.regions import Regions
    from lingua_utils.text.corpus import ParallelCorpus

__all__ = ["Change", "Cost", "mean_activations", "mean_magnitudes", "random_regions", "silence", "tables"]

DOSES = (0.0, 0.25, 0.5, 1.0)


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
    region = _checked(loaded, region)
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


def _checked(loaded: LoadedModel, region: np.ndarray) -> np.ndarray:
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
    n_bytes : int array, shape [language, sentence]
    """

    nll: np.ndarray
    n_bytes: np.ndarray

    @property
    def per_byte(self) -> np.ndarray:
        """Bits per byte more than intact, shape [language]."""
        return self.nll.sum(axis=1) / log(2) / self.n_bytes.sum(axis=1)

    @property
    def influences(self) -> np.ndarray:
        """Of each sentence on that, shape [language, sentence]; :func:`perplexity.margin` takes them."""
        return influence(self.nll, self.n_bytes)

    def first(self, n_sentences: int) -> Change:
        """The same on the first sentences only."""
        return Change(self.nll[:, :n_sentences], self.n_bytes[:, :n_sentences])


class Cost:
    """Texts made ready once, to measure what silencing costs each language as often as needed.

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
        self._bytes = self._scorer.n_bytes.reshape(self._shape)
        self._intact = self._scorer.score().nll.reshape(self._shape)

    @property
    def intact(self) -> np.ndarray:
        """Bits per byte of the intact model, shape [language]."""
        return Change(self._intact, self._bytes).per_byte

    def of(self, region: np.ndarray) -> Change:
        """What silencing a region, bool [layer, neuron], changes."""
        with silence(self._loaded, region, self._to, self._means):
            silenced = self._scorer.score().nll.reshape(self._shape)
        return Change(silenced - self._intact, self._bytes)


def tables(
    loaded: LoadedModel,
    regions: Mapping[str, Regions],
    corpus: ParallelCorpus,
    activations: Activations | None = None,
    seed: int = 0,
    *,
    n_sentences: int = 60,
    n_control_sentences: int = 20,
    n_controls: int = 10,
    to: str = "zero",
    doses: Sequence[float] = DOSES,
    progress: bool = True,
) -> dict[str, pd.DataFrame]:
    """What silencing each language's region costs each language, for several methods, beside controls.

    Parameters
    ----------
    loaded : LoadedModel
    regions : mapping of method to Regions
        Their languages must be in the corpus.
    corpus : ParallelCorpus
        Sentences that the regions were not selected on.
    activations : Activations, optional
        Those the regions were selected on. With them there are controls of like magnitude too (kind
        ``"magnitude"``) beside those of like size (``"layer"``); ``to="mean"`` needs them.
    seed : int
        Seed of the controls.
    n_sentences, n_control_sentences : int
        The first so many sentences of the corpus measure regions, and the first so many of those controls.
    n_controls : int
        Random regions of each kind beside every region (:func:`random_regions`).
    to : {"zero", "mean"}
    doses : sequence of float
        Shares of each region, its highest scores first, for the dose-response.
    progress : bool

    Returns
    -------
    dict of DataFrames; costs are in bits per byte, intervals are 95 %, over sentences
        ``silencing``: per ``method``, ``region_language``, ``text_language`` and ``control_kind`` the
        ``change`` with ``low``, ``high``; ``control_mean`` and ``control_sd`` over draws; ``n_neurons``
        silenced; and ``intact``, the bits per byte before.

        ``selectivity``: per ``method``, ``region_language`` and ``control_kind`` the change of the region's
        ``own`` language with ``own_low``, ``own_high``, the mean change of the ``others`` with
        ``others_low``, ``others_high``, and own − others as ``difference`` with ``difference_low``,
        ``difference_high``. Of the controls ``control_own``, ``control_own_sd``, ``control_others``,
        ``control_difference``, ``control_difference_sd``. Then ``selectivity``: how many standard deviations
        of the controls' difference the region's lies above their mean, on the same sentences.
        ``own_exceeds_others``: the interval of the difference is above 0. ``own_exceeds_controls``: own is
        above that of every control on the same sentences. ``n_neurons``, ``n_controls``. An empty region has
        no selectivity (NaN).

        ``dose``: per ``method``, ``region_language`` and ``share`` silenced the ``n_neurons``, ``own`` and
        ``others``, each with ``_low`` and ``_high``.

    Raises
    ------
    ValueError
        For a region's language without text, or regions that do not fit the model: before anything is run.
    """
    for method, found in regions.items():
        if missing := [language for language in found.languages if language not in corpus.languages]:
            raise ValueError(f"{method} has a region of {missing[0]}, but the corpus {corpus.name} no text")
        for language in found.languages:
            _checked(loaded, found.of(language))
    if to == "mean" and activations is None:
        raise ValueError("to='mean' needs the activations that the means are taken of")
    means = mean_activations(activations) if to == "mean" else None
    cost = Cost(loaded, corpus.select(slice(0, n_sentences)), to, means)
    control_cost = Cost(loaded, corpus.select(slice(0, min(n_sentences, n_control_sentences))), to, means)
    magnitudes = {"layer": None}
    if activations is not None:
        magnitudes["magnitude"] = mean_magnitudes(activations)

    silencing, selectivity, dose = [], [], []
    pairs = [(method, language) for method, found in regions.items() for language in found.languages]
    for method, language in tqdm(pairs, desc="silencing", unit=" regions", disable=not progress):
        found, own = regions[method], corpus.languages.index(language)
        region = found.of(language)
        at = {"method": method, "region_language": language}
        change = cost.of(region)
        for kind, magnitude in magnitudes.items():
            controls = np.zeros((n_controls, corpus.n_languages))
            if region.any():
                drawn = random_regions(region, n_controls, seed, magnitude, found.widths)
                controls = np.stack([control_cost.of(control).per_byte for control in drawn])
            about = at | {"control_kind": kind, "n_neurons": int(region.sum())}
            silencing += _silencing_rows(about, corpus.languages, change, controls, cost.intact)
            same = change.first(n_control_sentences)
            selectivity.append(about | _own_and_others(own, change) | _beside_controls(own, same, controls))
        for share in doses:
            part = found.strongest(language, share)
            measured = change if share == 1 else cost.of(part)
            dose.append(at | {"share": share, "n_neurons": int(part.sum())} | _own_and_others(own, measured))
    dose = pd.DataFrame(dose)
    return {
        "silencing": pd.DataFrame(silencing),
        "selectivity": pd.DataFrame(selectivity),
        "dose": dose.drop(columns=[name for name in dose if "difference" in name or "exceeds" in name]),
    }


def _silencing_rows(
    about: dict, languages: Sequence[str], change: Change, controls: np.ndarray, intact: np.ndarray
) -> list[dict]:
    value, half = change.per_byte, margin(change.influences)
    columns = {
        "text_language": languages, "change": value, "low": value - half, "high": value + half,
        "control_mean": controls.mean(axis=0), "control_sd": _sd(controls), "intact": intact,
    }  # fmt: skip
    return [about | dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _own_and_others(own: int, change: Change) -> dict:
    """The change of one language, the mean of the rest, and their difference, with intervals."""
    others = np.arange(len(change.nll)) != own
    value, influences = change.per_byte, change.influences
    mean, mean_influences = value[others].mean(), influences[others].mean(axis=0)
    row = {}
    for name, estimate, parts in (
        ("own", value[own], influences[own]),
        ("others", mean, mean_influences),
        # Sentences are parallel, so the errors of the languages are taken off each other meaning by meaning.
        ("difference", value[own] - mean, influences[own] - mean_influences),
    ):
        half = margin(parts)
        row |= {name: estimate, f"{name}_low": estimate - half, f"{name}_high": estimate + half}
    return row | {"own_exceeds_others": bool(row["difference_low"] > 0)}


def _beside_controls(own: int, change: Change, controls: np.ndarray) -> dict:
    """The change of one language beside that of controls, shape [draw, language], on the same sentences."""
    others = np.arange(len(change.nll)) != own
    value, control_own, control_others = change.per_byte, controls[:, own], controls[:, others].mean(axis=1)
    differences, spread = control_own - control_others, _sd(control_own - control_others)
    excess = value[own] - value[others].mean() - differences.mean()
    return {
        "control_own": control_own.mean(),
        "control_own_sd": _sd(control_own),
        "control_others": control_others.mean(),
        "control_difference": differences.mean(),
        "control_difference_sd": spread,
        "selectivity": excess / spread if spread > 0 else np.nan,
        "own_exceeds_controls": bool(value[own] > control_own.max()),
        "n_controls": len(controls),
    }


def _sd(draws: np.ndarray) -> np.ndarray:
    """Standard deviation over draws; NaN of a single one."""
    return draws.std(axis=0, ddof=1) if len(draws) > 1 else np.full(draws.shape[1:], np.nan)[()]
