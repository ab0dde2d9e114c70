"""Key neurons: which neurons serve which language, by four rules, each beside what chance would select.

The rules are read from activations alone and share one interface, :func:`key_regions`. What a region costs
when it is silenced is measured in :mod:`lingua_utils.measure.ablation`, on other sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil
from typing import Any

import numpy as np
import pandas as pd

from lingua_utils.measure import rules
from lingua_utils.measure.activations import Activations
from lingua_utils.measure.retrieval import wilson
from lingua_utils.measure.rules import METHODS
from lingua_utils.measure.selection import average_precision
from lingua_utils.measure.sums import Sums

__all__ = [
    "METHODS",
    "Regions",
    "agreement",
    "average_precision",
    "concentration",
    "counts",
    "from_tables",
    "jaccard",
    "key_regions",
    "neuron_scores",
    "neurons",
    "null",
    "outer_layers",
    "overlap",
    "select_all",
    "stacks",
    "tables",
]

OUTER_SHARE = 0.1  # of the layers, at either end


@dataclass(frozen=True, eq=False)
class Regions:
    """The key neurons of every language, as one rule selects them.

    Attributes
    ----------
    method : str
    region : bool array, shape [language, layer, neuron]
        Layers narrower than the widest are padded with False.
    score : float32 array, shape [language, layer, neuron]
        The rule's own statistic, larger for a stronger claim on the neuron; NaN in the padding.
    expected : float array, shape [language, layer]
        Neurons the rule selects on average when languages are shuffled within every meaning.
    expected_share : float
        Share of all neurons then selected for at least one language.
    settings : dict
        Every setting of the rule.
    languages, layers, widths : tuples
        Language codes, layer labels, neurons of each layer.
    """

    method: str
    region: np.ndarray
    score: np.ndarray
    expected: np.ndarray
    expected_share: float
    settings: dict[str, Any]
    languages: tuple[str, ...]
    layers: tuple[str, ...]
    widths: tuple[int, ...]

    @property
    def count(self) -> np.ndarray:
        """Key neurons, int, shape [language, layer]."""
        return self.region.sum(axis=2)

    @property
    def share(self) -> float:
        """Share of all neurons that are key to at least one language."""
        return float(self.region.any(axis=0).sum() / sum(self.widths))

    def of(self, language: str) -> np.ndarray:
        """The region of one language, bool, shape [layer, neuron].

        Raises
        ------
        ValueError
            For a language that was not measured.
        """
        if language not in self.languages:
            raise ValueError(f"no region of {language!r}; there are {', '.join(self.languages)}")
        return self.region[self.languages.index(language)]

    def strongest(self, language: str, share: float) -> np.ndarray:
        """The part of a region with the highest scores, bool, shape [layer, neuron].

        ``share`` of the region's neurons, rounded, from 0 (none) to 1 (all).
        """
        region = self.of(language)
        score = np.where(region, self.score[self.languages.index(language)], -np.inf)
        kept = np.zeros(region.size, dtype=bool)
        kept[np.argsort(-score, axis=None, kind="stable")[: round(share * region.sum())]] = True
        return kept.reshape(region.shape)


def neuron_scores(activations: Activations | Sums | np.ndarray) -> np.ndarray:
    """How consistently each neuron fires across the sentences of a language.

    s_l[j] is the mean over pairs of sentences m < m' of u[l, m][j] · u[l, m'][j], with u the unit vector of
    all layers' activations concatenated (Zeng et al. 2025). In closed form ((Σ_m u)² − Σ_m u²) / (M (M − 1)),
    so it costs one pass over the sentences; summed over neurons it is the mean cosine within the language.

    Parameters
    ----------
    activations : Activations, Sums, or array of shape [language, sentence, layer, neuron]

    Returns
    -------
    array, float64, shape [language, layer, neuron]
        Between −1 / (M − 1) and 1; layers narrower than the widest are padded with NaN.

    Raises
    ------
    ValueError
        With fewer than 2 sentences, or for a sentence whose activations are all 0; the message names it.

    Examples
    --------
    >>> values = np.array([[[[1.0, 0.0]], [[0.0, 2.0]], [[3.0, 0.0]]]])  # 1 language, 3 sentences, 1 layer
    >>> neuron_scores(values).round(3).tolist()
    [[[0.333, 0.0]]]
    """
    return _padded(rules.scores(_opened(activations)), np.nan)


def key_regions(
    activations: Activations | np.ndarray, method: str = "calibrated", seed: int = 0, **settings: Any
) -> Regions:
    """Select the neurons that are key to each language.

    Parameters
    ----------
    activations : Activations or array of shape [language, sentence, layer, neuron]
        Of translations: ``activations[a, i]`` and ``activations[b, i]`` mean the same. From streamed sums
        (``keep="sums"``) the groups of meanings stand for the sentences in ``zscore``'s null and in
        ``calibrated``; ``ap`` needs the sentences.
    method : {"calibrated", "zscore", "lape", "ap"}
        - ``"zscore"``: the neuron score (:func:`neuron_scores`) stands more than ``threshold`` (2.0)
          population standard deviations above its mean over languages (Zeng et al. 2025). At most
          √(L − 1) can be reached, and languages that share a neuron push each other down.
        - ``"calibrated"``: the language is prominent on the neuron (:func:`selection.prominence`: its mean
          activation goes beyond 0 and the languages' median by more than their ordinary differences, its own
          standard error, and a ``margin`` of 0.5 standard deviations of a sentence) beyond what shuffling
          languages within every meaning gives, at a false discovery ``rate`` (0.05; Benjamini and Hochberg)
          over all neurons and languages. The null is pooled over neurons. Up to half of the languages can
          share a neuron.
        - ``"lape"``: activation probability entropy (Tang et al. 2024). The ``share`` (0.01) of all neurons
          with the lowest entropy over languages of P(activation > 0), among those that are active in some
          language more often than the ``activity`` (0.95) quantile of all probabilities; each goes to the
          languages where it passes that quantile. Probabilities count content tokens; of a plain array,
          sentences, as the null always does.
        - ``"ap"``: the ``share`` (0.01) of all neurons whose mean activation detects the language best among
          all sentences by average precision, and, with ``bottom`` (True), the share that does worst, as they
          are silent in it (Kojima et al. 2024, who take 1,000 of each; ``k`` gives such a number instead).
    seed : int
        Seed of the shuffles.
    **settings
        Of the method, as named above, and ``n_shuffles`` (20, for ``lape`` 5; ``calibrated`` takes more when
        neurons are few).

    Returns
    -------
    Regions

    Raises
    ------
    ValueError
        For an unknown method or setting; fewer than 2 languages or sentences; a z that cannot occur.
    """
    if method not in METHODS:
        raise ValueError(f"no method {method!r} to select neurons; there are {', '.join(METHODS)}")
    rule, defaults = METHODS[method]
    unknown = set(settings) - set(defaults)
    if unknown:
        raise ValueError(f"{method} has no setting {min(unknown)!r}; it has {', '.join(defaults)}")
    activations = _opened(activations)
    n_languages, n_sentences = len(activations.languages), activations.n_sentences
    if min(n_languages, n_sentences) < 2:
        raise ValueError(
            f"{n_languages} languages × {n_sentences} sentences: selecting needs at least 2 of each"
        )
    settings = {**defaults, **settings}
    found = rule(activations, seed=seed, **settings)
    return Regions(
        method=method,
        region=_padded(found.region, False),
        score=_padded([layer.astype(np.float32) for layer in found.score], np.nan),
        expected=found.expected,
        expected_share=found.expected_share,
        settings={**settings, **found.settings, "seed": seed},
        languages=activations.languages,
        layers=activations.layers,
        widths=activations.widths,
    )


def counts(regions: dict[str, Regions]) -> pd.DataFrame:
    """Key neurons per method, layer and language, beside what the method selects by chance.

    Returns
    -------
    DataFrame
        ``method``, ``layer``, ``layer_index``, ``language``, ``count``, ``share`` (of the layer's neurons),
        ``expected`` (count when languages are shuffled within every meaning).
    """
    rows = [
        {
            "method": method,
            "layer": layer,
            "layer_index": i,
            "language": language,
            "count": int(found.count[row, i]),
            "share": found.count[row, i] / found.widths[i],
            "expected": found.expected[row, i],
        }
        for method, found in regions.items()
        for i, layer in enumerate(found.layers)
        for row, language in enumerate(found.languages)
    ]
    return pd.DataFrame(rows)


def null(regions: dict[str, Regions]) -> pd.DataFrame:
    """Share of neurons that are key to any language, with real and with shuffled languages.

    Returns
    -------
    DataFrame
        ``method``, ``share``, ``share_shuffled``, ``n_neurons``.
    """
    rows = [
        {"method": method, "share": found.share, "share_shuffled": found.expected_share,
         "n_neurons": sum(found.widths)}
        for method, found in regions.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def concentration(regions: dict[str, Regions]) -> pd.DataFrame:
    """How much of a region lies in the first and last tenth of the layers.

    Each end has a tenth of the layers of its stack, rounded up; encoder and decoder each have two ends.

    Returns
    -------
    DataFrame
        ``method``, ``stack`` (:func:`stacks`), ``language``, ``share_outer`` (of the region's neurons in that
        stack), ``low``, ``high`` (95 %, Wilson), ``uniform`` (the outer layers' share of all neurons),
        ``n_neurons``. NaN for an empty region.
    """
    rows = []
    for method, found in regions.items():
        outer, widths = outer_layers(found.layers), np.array(found.widths)
        for stack, within in stacks(found.layers).items():
            uniform = widths[within & outer].sum() / widths[within].sum()
            for language, count in zip(found.languages, found.count, strict=True):
                total = int(count[within].sum())
                share = int(count[within & outer].sum()) / total if total else np.nan
                low, high = wilson(share, total)
                rows.append(
                    {"method": method, "stack": stack, "language": language, "share_outer": share,
                     "low": low, "high": high, "uniform": uniform, "n_neurons": total}
                )  # fmt: skip
    return pd.DataFrame(rows)


def stacks(layers: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Which layers belong to which stack, bool, shape [layer].

    "encoder" and "decoder" in a model with both, whose labels say so; "all" in any other.
    """
    of_layer = np.array([label.rpartition(" ")[0] or "all" for label in layers])
    return {stack: of_layer == stack for stack in dict.fromkeys(of_layer.tolist())}


def outer_layers(layers: tuple[str, ...]) -> np.ndarray:
    """Which layers are among the first or last tenth of their stack, bool, shape [layer]."""
    outer = np.zeros(len(layers), dtype=bool)
    for within in map(np.flatnonzero, stacks(layers).values()):
        tenth = ceil(OUTER_SHARE * len(within))
        outer[within[:tenth]] = outer[within[-tenth:]] = True
    return outer


def jaccard(a: np.ndarray, b: np.ndarray, widths: Sequence[int]) -> tuple[float, float]:
    """Overlap of two regions [layer, neuron], and what regions of their sizes have by chance.

    Returns
    -------
    jaccard, chance : float
        |A ∩ B| / |A ∪ B| in [0, 1], NaN where both are empty; and the same with the overlap expected of
        regions that keep their counts per layer and are otherwise drawn at random.
    """
    in_a, in_b = a.sum(axis=1), b.sum(axis=1)
    total, shared, expected = in_a.sum() + in_b.sum(), (a & b).sum(), (in_a * in_b / np.array(widths)).sum()
    if not total:
        return np.nan, np.nan
    return float(shared / (total - shared)), float(expected / (total - expected))


def overlap(regions: dict[str, Regions]) -> pd.DataFrame:
    """Which languages share key neurons.

    Returns
    -------
    DataFrame
        ``method``, ``stack`` (:func:`stacks`), ``source``, ``target``, ``jaccard``, ``chance``
        (:func:`jaccard`), for every ordered pair of different languages.
    """
    rows = []
    for method, found in regions.items():
        for stack, within in stacks(found.layers).items():
            widths = np.array(found.widths)[within]
            for pair in combinations(found.languages, 2):
                share, chance = jaccard(*(found.of(language)[within] for language in pair), widths)
                rows += [(method, stack, *order, share, chance) for order in (pair, pair[::-1])]
    return pd.DataFrame(rows, columns=["method", "stack", "source", "target", "jaccard", "chance"])


def agreement(regions: dict[str, Regions]) -> pd.DataFrame:
    """How far two methods select the same neurons for a language.

    Returns
    -------
    DataFrame
        ``method_a``, ``method_b``, ``stack`` (:func:`stacks`), ``language``, ``jaccard``, ``chance``, for
        every pair of methods.
    """
    rows = []
    for (method_a, a), (method_b, b) in combinations(regions.items(), 2):
        for stack, within in stacks(a.layers).items():
            widths = np.array(a.widths)[within]
            for language in a.languages:
                found = jaccard(a.of(language)[within], b.of(language)[within], widths)
                rows.append((method_a, method_b, stack, language, *found))
    return pd.DataFrame(rows, columns=["method_a", "method_b", "stack", "language", "jaccard", "chance"])


def neurons(regions: dict[str, Regions]) -> pd.DataFrame:
    """Every key neuron, one a row: ``method``, ``language``, ``layer_index``, ``neuron``, ``score``."""
    frames = []
    for method, found in regions.items():
        language, layer, neuron = np.nonzero(found.region)
        frames.append(
            pd.DataFrame({
                "method": method,
                "language": np.array(found.languages)[language],
                "layer_index": layer,
                "neuron": neuron,
                "score": found.score[language, layer, neuron],
            })
        )  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def select_all(
    activations: Activations | np.ndarray, methods: tuple[str, ...] | None = None, seed: int = 0
) -> dict[str, Regions]:
    """Regions by several methods with their default settings, from the same activations.

    Without ``methods``, all of :data:`METHODS` that can be had: those that need sentences only where
    sentences were kept, and ``zscore`` only where its threshold can be reached (6 languages or more).
    """
    activations = _opened(activations)
    if methods is None:
        impossible = set()
        if len(activations.languages) <= METHODS["zscore"][1]["threshold"] ** 2 + 1:
            impossible.add("zscore")
        if activations.keep == "sums":
            impossible.add("ap")
        methods = tuple(method for method in METHODS if method not in impossible)
    return {method: key_regions(activations, method, seed=seed) for method in methods}


def tables(
    activations: Activations | np.ndarray, methods: tuple[str, ...] | None = None, seed: int = 0
) -> dict[str, pd.DataFrame]:
    """Everything the stage of regions writes.

    Returns
    -------
    dict
        ``region_counts`` (:func:`counts`), ``region_null`` (:func:`null`), ``region_concentration``
        (:func:`concentration`), ``region_overlap`` (:func:`overlap`), ``region_agreement``
        (:func:`agreement`), ``region_neurons`` (:func:`neurons`).
    """
    regions = select_all(activations, methods, seed)
    return {
        f"region_{function.__name__}": function(regions)
        for function in (counts, null, concentration, overlap, agreement, neurons)
    }


def from_tables(tables: dict[str, pd.DataFrame], activations: Activations | np.ndarray) -> dict[str, Regions]:
    """The regions that :func:`tables` wrote, for the activations they were selected on.

    Scores of neurons outside a region were not written and are NaN.
    """
    activations = _opened(activations)
    languages, layers, widths = activations.languages, activations.layers, activations.widths
    regions = {}
    for row in tables["region_null"].itertuples():
        chosen = tables["region_neurons"].query("method == @row.method")
        counted = tables["region_counts"].query("method == @row.method")
        place = (chosen["language"].map(languages.index), chosen["layer_index"], chosen["neuron"])
        place = tuple(index.to_numpy(dtype=np.int64) for index in place)
        score = np.full((len(languages), len(layers), max(widths)), np.nan, dtype=np.float32)
        score[place] = chosen["score"]
        region = np.zeros(score.shape, dtype=bool)
        region[place] = True
        expected = counted.pivot(index="language", columns="layer_index", values="expected")
        regions[row.method] = Regions(
            row.method, region, score, expected.loc[list(languages)].to_numpy(), row.share_shuffled,
            {}, languages, layers, widths,
        )  # fmt: skip
    return regions


def _opened(activations: Any) -> Activations | Sums:
    return activations if hasattr(activations, "layers") else Activations.from_array(np.asarray(activations))


def _padded(layers: list[np.ndarray], fill: Any) -> np.ndarray:
    """Layers [language, neuron] as one array [language, layer, neuron] as wide as the widest."""
    width = max(layer.shape[1] for layer in layers)
    padded = np.full((len(layers[0]), len(layers), width), fill, dtype=layers[0].dtype)
    for i, layer in enumerate(layers):
        padded[:, i, : layer.shape[1]] = layer
    return padded
