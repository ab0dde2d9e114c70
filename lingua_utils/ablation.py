"""Silence neurons while a model reads, and measure what that costs, beside matched random neurons.

Regions are selected on one split and measured on another; every cost stands beside that of random regions
of the same size, because silencing any neurons costs something.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from math import log
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from lingua_utils.activations import Activations
from lingua_utils.controls import mean_activations, mean_magnitudes, random_regions
from lingua_utils.models import LoadedModel
from lingua_utils.perplexity import Scorer, influence, margin

if TYPE_CHECKING:
    from lingua_utils.corpus import ParallelCorpus
    from lingua_utils.regions import Regions

__all__ = ["Cost", "mean_activations", "mean_magnitudes", "random_regions", "silence", "tables"]

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


class Cost:
    """Change in bits per byte of every language when neurons are silenced, against the intact model.

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
        self.languages = corpus.languages
        self._shape = (corpus.n_languages, corpus.n_sentences)
        self._bytes = self._scorer.n_bytes.reshape(self._shape)
        self._intact = self._scorer.score().nll

    @property
    def intact(self) -> np.ndarray:
        """Bits per byte of the intact model, shape [language]."""
        return self._per_byte(self._intact.reshape(self._shape))

    def of(self, region: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What silencing a region costs.

        Returns
        -------
        change : array, shape [language]
            Bits per byte more than intact.
        influences : array, shape [language, sentence]
            Of each sentence on that change; :func:`lingua_utils.perplexity.margin` makes intervals of them.
        """
        with silence(self._loaded, region, self._to, self._means):
            more = (self._scorer.score().nll - self._intact).reshape(self._shape)
        return self._per_byte(more), influence(more, self._bytes)

    def _per_byte(self, nll: np.ndarray) -> np.ndarray:
        return nll.sum(axis=1) / log(2) / self._bytes.sum(axis=1)


def tables(
    loaded: LoadedModel,
    regions: Mapping[str, Regions],
    corpus: ParallelCorpus,
    activations: Activations | None = None,
    seed: int = 0,
    *,
    n_sentences: int = 20,
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
        Sentences that the regions were not selected on; the first ``n_sentences`` are used.
    activations : Activations, optional
        Those the regions were selected on. With them there are controls of like magnitude too (kind
        ``"magnitude"``) beside those of like size (``"layer"``); ``to="mean"`` needs them.
    seed : int
        Seed of the controls.
    n_controls : int
        Random regions of each kind beside every region (:func:`random_regions`).
    to : {"zero", "mean"}
    doses : sequence of float
        Shares of each region, its highest scores first, for the dose-response.
    progress : bool

    Returns
    -------
    dict of DataFrames; intervals are 95 %, over sentences
        ``silencing``: per ``method``, ``region_language``, ``text_language`` and ``control_kind`` the
        ``change`` in bits per byte with ``low``, ``high``, ``control_mean`` and ``control_sd`` over draws,
        ``n_neurons`` silenced, and the text's bits per byte ``intact``.

        ``selectivity``: per ``method``, ``region_language`` and ``control_kind`` the change of the region's
        ``own`` language with ``own_low``, ``own_high``; the mean change of the ``others``; own − others as
        ``difference`` with ``difference_low``, ``difference_high``; the same of the controls as
        ``control_own``, ``control_own_sd``, ``control_others``, ``control_difference``,
        ``control_difference_sd``; ``selectivity``, how many standard deviations of the controls' difference
        the region's lies above their mean; ``own_exceeds_others``, whether the interval of the difference is
        above 0; ``own_exceeds_controls``, whether ``own_low`` is above the mean of the controls and ``own``
        above each of them; ``n_neurons``, ``n_controls``. An empty region has no selectivity (NaN).

        ``dose``: per ``method``, ``region_language`` and ``share`` silenced the ``n_neurons``, ``own`` with
        ``own_low``, ``own_high``, and ``others`` with ``others_low``, ``others_high``.

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
    corpus = corpus.select(slice(0, n_sentences))
    cost = Cost(loaded, corpus, to, mean_activations(activations) if to == "mean" else None)
    magnitudes = {"layer": None}
    if activations is not None:
        magnitudes["magnitude"] = mean_magnitudes(activations)

    silencing, selectivity, dose = [], [], []
    pairs = [(method, language) for method, found in regions.items() for language in found.languages]
    for method, language in tqdm(pairs, desc="silencing", unit="region", disable=not progress):
        found, own = regions[method], corpus.languages.index(language)
        region = found.of(language)
        at = {"method": method, "region_language": language}
        change, influences = cost.of(region)
        for kind, magnitude in magnitudes.items():
            controls = np.zeros((n_controls, len(change)))
            if region.any():
                drawn = random_regions(region, n_controls, seed, magnitude, found.widths)
                controls = np.stack([cost.of(control)[0] for control in drawn])
            about = at | {"control_kind": kind, "n_neurons": int(region.sum())}
            silencing += _silencing_rows(about, cost, change, influences, controls)
            selectivity.append(about | _selectivity(own, change, influences, controls))
        for share in doses:
            part = found.strongest(language, share)
            measured = (change, influences) if share == 1 else cost.of(part)
            dose.append(at | {"share": share, "n_neurons": int(part.sum())} | _own_and_others(own, *measured))
    return {
        "silencing": pd.DataFrame(silencing),
        "selectivity": pd.DataFrame(selectivity),
        "dose": pd.DataFrame(dose),
    }


def _silencing_rows(
    about: dict, cost: Cost, change: np.ndarray, influences: np.ndarray, controls: np.ndarray
) -> list[dict]:
    half = margin(influences)
    values = {
        "text_language": cost.languages, "change": change, "low": change - half, "high": change + half,
        "control_mean": controls.mean(axis=0), "control_sd": _sd(controls), "intact": cost.intact,
    }  # fmt: skip
    return [about | dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def _own_and_others(own: int, change: np.ndarray, influences: np.ndarray) -> dict:
    others = np.arange(len(change)) != own
    row = {}
    for name, value, parts in (
        ("own", change[own], influences[own]),
        ("others", change[others].mean(), influences[others].mean(axis=0)),
    ):
        half = margin(parts)
        row |= {name: value, f"{name}_low": value - half, f"{name}_high": value + half}
    return row


def _selectivity(own: int, change: np.ndarray, influences: np.ndarray, controls: np.ndarray) -> dict:
    others = np.arange(len(change)) != own
    row = _own_and_others(own, change, influences)
    difference = row["own"] - row["others"]
    # Sentences are parallel, so the languages' errors are taken off each other meaning by meaning.
    half = margin(influences[own] - influences[others].mean(axis=0))
    control_own, control_others = controls[:, own], controls[:, others].mean(axis=1)
    control_difference, spread = control_own - control_others, _sd(control_own - control_others)
    excess = difference - control_difference.mean()
    return row | {
        "difference": difference,
        "difference_low": difference - half,
        "difference_high": difference + half,
        "control_own": control_own.mean(),
        "control_own_sd": _sd(control_own),
        "control_others": control_others.mean(),
        "control_difference": control_difference.mean(),
        "control_difference_sd": spread,
        "selectivity": excess / spread if spread > 0 else np.nan,
        "own_exceeds_others": bool(difference - half > 0),
        "own_exceeds_controls": bool(row["own_low"] > control_own.mean() and row["own"] > control_own.max()),
        "n_controls": len(controls),
    }


def _sd(draws: np.ndarray) -> np.ndarray:
    """Standard deviation over draws; NaN of a single one."""
    return draws.std(axis=0, ddof=1) if len(draws) > 1 else np.full(draws.shape[1:], np.nan)[()]
