"""Key neurons: which neurons serve which language, by any rule, beside what chance would select.

A rule is a plain function of activations. Chance is always the same shuffle: within every meaning, the
languages change places. It keeps what a sentence means and what a neuron is like, and takes away which
language is which. What a region costs when it is silenced is measured in
:mod:`lingua_utils.measure.ablation`, on other sentences.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil, floor, sqrt
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch.nn.functional import embedding_bag

from lingua_utils.measure.activations import Activations
from lingua_utils.measure.sums import between_languages

NULL_VALUES = 200_000  # pooled null statistics wanted at least, so that small p-values can be told apart
NULL_LIMIT = 20_000_000  # and at most, to bound the memory
MEAN_SIZE = 1.2533  # standard deviations of a normal in the mean size of its deviations
BLOCK_BYTES = 2**26  # working memory of a block of neurons or of shuffles
AP_SLAB = 64  # neurons read at a time
AP_BLOCK = 2**15  # values sorted at a time, so that they stay in the processor's cache
OUTER_SHARE = 0.1  # of the layers, at either end
FEWEST_DISTINCTIVE = 4  # languages: with three the spread of the others is that of two numbers


@dataclass(frozen=True, eq=False)
class Regions:
    """The key neurons of every language, as one rule selects them.

    Attributes
    ----------
    rule : str
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

    rule: str
    region: np.ndarray
    score: np.ndarray
    expected: np.ndarray
    expected_share: float
    settings: dict[str, Any]
    languages: tuple[str, ...]
    layers: tuple[str, ...]
    widths: tuple[int, ...]

    @property
    def fingerprint(self) -> str:
        """Identity of the regions and of their scores."""
        digest = hashlib.sha256(f"{self.rule} {self.languages} {self.layers} {self.settings}".encode())
        for array in (self.region, self.score, self.expected):
            digest.update(np.ascontiguousarray(array))
        return digest.hexdigest()[:16]

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


def neuron_scores(activations: Activations | np.ndarray) -> np.ndarray:
    """How consistently each neuron fires across the sentences of a language.

    s_l[j] is the mean over pairs of sentences m < m' of u[l, m][j] · u[l, m'][j], with u the unit vector of
    all layers' activations concatenated (Zeng et al. 2025). In closed form ((Σ_m u)² − Σ_m u²) / (M (M − 1)),
    so it costs one pass over the sentences; summed over neurons it is the mean cosine within the language.

    Parameters
    ----------
    activations : Activations, or array of shape [language, sentence, layer, neuron]

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
    return _padded(_scores(_opened(activations)), np.nan)


def _scores(activations: Activations) -> list[np.ndarray]:
    """Neuron scores of every layer, float64, shape [language, neuron]."""
    n_sentences = activations.n_sentences
    if n_sentences < 2:
        raise ValueError(f"{n_sentences} sentence: a score is a mean over pairs and needs at least 2")
    weights = _unit_weights(activations)
    sums = (_weighted_sums(activations.layer(i), weights) for i in range(len(activations.layers)))
    return [_pair_scores(totals, squares, n_sentences) for totals, squares in sums]


def _pair_scores(totals: np.ndarray, squares: np.ndarray, n_sentences: int) -> np.ndarray:
    """Mean over pairs m < m' of u[m]·u[m'], from sums over sentences of u and of u², of one shape."""
    return (totals**2 - squares) / (n_sentences * (n_sentences - 1))


def _weighted_sums(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums over sentences of u and u², u = weight · value, in float64, each of shape [language, neuron]."""
    n_languages, _, n_neurons = values.shape
    totals, squares = np.empty((2, n_languages, n_neurons))
    for language, sentences in enumerate(values):
        doubles = np.asarray(sentences, dtype=np.float64)
        totals[language] = weights[language] @ doubles
        squares[language] = weights[language] ** 2 @ np.square(doubles)
    return totals, squares


def _unit_weights(activations: Activations) -> np.ndarray:
    """1 / norm of every sentence over all layers concatenated, shape [language, sentence]."""
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


Rule = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Selection:
    """What a built-in rule selects: lists over layers of arrays [language, neuron], and its own null."""

    region: list[np.ndarray]
    score: list[np.ndarray]
    expected: np.ndarray  # [language, layer]
    expected_share: float
    settings: dict[str, Any] = field(default_factory=dict)  # those that the rule chose itself


def key_regions(
    activations: Activations | np.ndarray, rule: str | Rule = "distinctive", seed: int = 0, **settings: Any
) -> Regions:
    """Select the neurons that are key to each language.

    Parameters
    ----------
    activations : Activations or array of shape [language, sentence, layer, neuron]
        Of translations: ``activations[a, i]`` and ``activations[b, i]`` mean the same.
    rule : {"distinctive", "calibrated", "zscore", "lape", "ap"}, or a function
        - ``"distinctive"``: does this language stand out from how languages ordinarily differ? Its mean
          activation lies further from 0 than the other languages' means predict (:func:`distinctness`: a
          leave-one-out t), at a false discovery ``rate`` (0.05; Benjamini and Hochberg) over all neurons and
          languages. Needs 4 languages; a neuron that two languages share is hidden, as each widens what the
          other is held against.
        - ``"calibrated"``: do languages differ here at all? The language is prominent on the neuron
          (:func:`prominence`: its mean activation goes beyond 0 and the languages' median) by more than a
          ``margin`` of 0.5 standard deviations of a sentence, and what it goes beyond that is more than
          shuffling languages within every meaning gives, at the same ``rate``. The null is pooled over
          neurons. Up to half of the languages can share a neuron.
        - ``"zscore"``: the neuron score (:func:`neuron_scores`) stands more than ``threshold`` (2.0)
          population standard deviations above its mean over languages (Zeng et al. 2025). At most
          √(L − 1) can be reached, and languages that share a neuron push each other down.
        - ``"lape"``: activation probability entropy (Tang et al. 2024). The ``share`` (0.01) of all neurons
          with the lowest entropy over languages of P(activation > 0), among those that are active in some
          language more often than the ``activity`` (0.95) quantile of all probabilities; each goes to the
          languages where it passes that quantile. Probabilities count content tokens; of a plain array,
          sentences.
        - ``"ap"``: the ``share`` (0.01) of all neurons whose mean activation detects the language best among
          all sentences by average precision, and, with ``bottom`` (True), the share that does worst, as they
          are silent in it (Kojima et al. 2024, who take 1,000 of each; ``k`` gives such a number instead).
        - A function of the activations (and of your ``settings``) that returns a bool array [language, layer,
          neuron], or that and a score of the same shape. Its null comes with it: the function is run again on
          ``n_shuffles`` (20) shuffles, in which sentences keep their own counts of tokens.
    seed : int
        Seed of the shuffles.
    **settings
        Of the rule, as named above, and ``n_shuffles`` (20, for ``lape`` and ``ap`` 5; ``calibrated`` takes
        more when neurons are few, and rules at a rate take fewer when they are many).

    Returns
    -------
    Regions

    Raises
    ------
    ValueError
        For an unknown rule or setting; fewer than 2 languages or sentences, for ``distinctive`` fewer than 4
        languages; no shuffles; a z that cannot occur; a function whose answer has another shape or holds no
        truth values.
    """
    name, function = _named(rule)
    activations = _opened(activations)
    n_languages, n_sentences = len(activations.languages), activations.n_sentences
    if min(n_languages, n_sentences) < 2:
        raise ValueError(
            f"{n_languages} languages × {n_sentences} sentences: selecting needs at least 2 of each"
        )
    if settings.get("n_shuffles", 1) < 1:
        raise ValueError(f"n_shuffles is {settings['n_shuffles']}; it must be at least 1")
    if _has_own_null(function):
        settings = _settings_of(name, function, settings)
        selected = function(activations, seed=seed, **settings)
    else:
        selected = _with_shuffled_null(name, function, activations, seed, **settings)
    return Regions(
        rule=name,
        region=_padded(selected.region, False),
        score=_padded([layer.astype(np.float32) for layer in selected.score], np.nan),
        expected=selected.expected,
        expected_share=selected.expected_share,
        settings={**settings, **selected.settings, "seed": seed},
        languages=activations.languages,
        layers=activations.layers,
        widths=activations.widths,
    )


def select_all(
    activations: Activations | np.ndarray, rules: Iterable[str | Rule] | None = None, seed: int = 0
) -> dict[str, Regions]:
    """Regions by several rules with their default settings, by name, from the same activations.

    Without ``rules``, all of :data:`RULES` that can be had: ``distinctive`` with 4 languages or more,
    ``zscore`` only where its threshold can be reached (6 languages or more).

    Raises
    ------
    ValueError
        As :func:`key_regions`, and for two different rules of one name.
    """
    activations = _opened(activations)
    if rules is None:
        threshold = inspect.signature(zscore).parameters["threshold"].default
        fewest = {"distinctive": FEWEST_DISTINCTIVE, "zscore": floor(threshold**2) + 2}
        rules = [name for name in RULES if len(activations.languages) >= fewest.get(name, 2)]
    names = {rule: _named(rule)[0] for rule in rules}
    if len(set(names.values())) < len(names):
        raise ValueError(f"rules are named {', '.join(names.values())}; give each function a name of its own")
    return {name: key_regions(activations, rule, seed=seed) for rule, name in names.items()}


def _named(rule: str | Rule) -> tuple[str, Rule]:
    """A rule's name and function; built-in ones are looked up when they are asked for."""
    if callable(rule):
        return getattr(rule, "__name__", type(rule).__name__), rule
    if rule not in RULES:
        raise ValueError(
            f"no rule {rule!r} to select neurons; there are {', '.join(RULES)}, or give a function"
        )
    return rule, RULES[rule]


def _has_own_null(function: Rule) -> bool:
    """Whether a rule brings its null: it then takes the seed of its shuffles."""
    annotation = inspect.signature(function).return_annotation
    return annotation in (Selection, "Selection")


def _settings_of(name: str, function: Rule, given: dict[str, Any]) -> dict[str, Any]:
    """Every setting of a built-in rule: as given, else its default."""
    parameters = list(inspect.signature(function).parameters.values())[2:]
    known = {parameter.name: parameter.default for parameter in parameters}
    if unknown := set(given) - set(known):
        raise ValueError(f"{name} has no setting {min(unknown)!r}; it has {', '.join(known)}")
    return known | given


def _with_shuffled_null(
    name: str, function: Rule, activations: Activations, seed: int, n_shuffles: int = 20, **settings: Any
) -> Selection:
    """What a function selects, and what it selects on average when languages are shuffled."""
    region, score = _answer(name, function(activations, **settings), activations)
    rng = np.random.default_rng(seed)
    shape = (activations.n_sentences, len(activations.languages))
    counts, shares = np.zeros((len(activations.languages), len(activations.layers))), []
    for _ in range(n_shuffles):
        dealt = rng.permuted(np.tile(np.arange(shape[1]), (shape[0], 1)), axis=1).T
        by_chance, _ = _answer(name, function(_shuffled(activations, dealt), **settings), activations)
        counts += np.stack([layer.sum(axis=1) for layer in by_chance], axis=1)
        shares.append(sum(layer.any(axis=0).sum() for layer in by_chance) / sum(activations.widths))
    return Selection(region, score, counts / n_shuffles, float(np.mean(shares)), {"n_shuffles": n_shuffles})


def _answer(name: str, answer: Any, activations: Activations) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """A function's regions and scores, layer by layer without padding."""
    region, score = answer if isinstance(answer, tuple) else (answer, answer)
    region, score = np.asarray(region), np.asarray(score, dtype=float)
    wanted = (len(activations.languages), len(activations.layers), max(activations.widths))
    if region.dtype != bool or region.shape != wanted or score.shape != wanted:
        raise ValueError(
            f"rule {name!r} returned {region.dtype} of shape {region.shape}; return bool [language, layer, "
            f"neuron] of shape {wanted}, alone or with scores of that shape"
        )
    widths = enumerate(activations.widths)
    pairs = [(region[:, i, :width], score[:, i, :width]) for i, width in widths]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _shuffled(activations: Activations, dealt: np.ndarray) -> Activations:
    """Activations like others, where language l has the sentence m of language dealt[l, m]."""
    return replace(
        activations,
        fingerprint="",
        n_tokens=activations.n_tokens[dealt, np.arange(activations.n_sentences)],
        n_content=activations.n_content[dealt, np.arange(activations.n_sentences)],
        _values=_Shuffled(activations, dealt, Activations.layer),
        _n_positive=_Shuffled(activations, dealt, Activations.n_positive),
        _chosen=None,
    )


class _Shuffled(Sequence):
    """What is read of layers, the languages of every meaning having changed places, when asked for."""

    def __init__(
        self, activations: Activations, dealt: np.ndarray, read: Callable[[Activations, int], np.ndarray]
    ) -> None:
        self._activations, self._dealt, self._read = activations, dealt, read

    def __len__(self) -> int:
        return len(self._activations.layers)

    def __getitem__(self, index: int) -> np.ndarray:
        values = self._read(self._activations, index)
        return values[self._dealt, np.arange(values.shape[1])]


# -- the rules


def distinctive(activations: Activations, seed: int, rate: float = 0.05, n_shuffles: int = 20) -> Selection:
    """Languages that stand out from how the other languages differ, at a false discovery rate."""
    n_languages = len(activations.languages)
    if n_languages < FEWEST_DISTINCTIVE:
        raise ValueError(
            f"distinctive has {n_languages} languages; it needs at least {FEWEST_DISTINCTIVE}, to tell one "
            "from how the others differ: add languages, or take the rule calibrated"
        )
    n_shuffles = _affordable(n_shuffles, n_languages * sum(activations.widths))
    deal = _deals(n_languages, activations.n_sentences, n_shuffles, seed)
    found = (_in_blocks(_means, activations.layer(i), deal) for i in range(len(activations.layers)))
    statistic = np.concatenate([distinctness(*means).astype(np.float32) for means in found], axis=2)
    # Twice one tail: a neuron around 0 has an outward direction on either side.
    region, *by_chance = (
        _discoveries(np.minimum(1, 2 * stats.t.sf(found, n_languages - 2)), rate) for found in statistic
    )
    return _beside_chance(activations, region, statistic[0], by_chance, n_shuffles=n_shuffles)


def zscore(activations: Activations, seed: int, threshold: float = 2.0, n_shuffles: int = 20) -> Selection:
    """The paper's rule: a score more than ``threshold`` standard deviations above its mean over languages."""
    n_languages = len(activations.languages)
    largest = sqrt(n_languages - 1)
    if threshold >= largest:
        raise ValueError(
            f"z > {float(threshold)} cannot occur with {n_languages} languages (the largest possible is "
            f"√({n_languages}−1) = {round(largest, 2)}); lower the threshold or add languages"
        )
    z = [_standardized(score) for score in _scores(activations)]
    by_chance = [np.zeros((n_languages, width)) for width in activations.widths]
    any_by_chance = 0
    weights = _unit_weights(activations)
    deal = _shuffles(n_languages, activations.n_sentences, n_shuffles, seed)
    for i, count in enumerate(by_chance):
        for shuffled in _shuffled_scores(activations.layer(i), weights, deal):
            selected = _standardized(shuffled) > threshold
            count += selected
            any_by_chance += selected.any(axis=0).sum()
    return Selection(
        region=[layer > threshold for layer in z],
        score=z,
        expected=np.stack([count.sum(axis=1) for count in by_chance], axis=1) / n_shuffles,
        expected_share=any_by_chance / n_shuffles / sum(activations.widths),
    )


def calibrated(
    activations: Activations, seed: int, rate: float = 0.05, margin: float = 0.5, n_shuffles: int = 20
) -> Selection:
    """Prominent languages, at a false discovery rate against shuffled languages."""
    n_tests = len(activations.languages) * sum(activations.widths)
    n_shuffles = _affordable(max(n_shuffles, ceil(NULL_VALUES / n_tests)), n_tests)
    deal = _deals(len(activations.languages), activations.n_sentences, n_shuffles, seed)
    layers = [prominence(activations.layer(i), deal, margin) for i in range(len(activations.layers))]
    statistic, least = (np.concatenate(part, axis=2) for part in zip(*layers, strict=True))
    null = np.sort(statistic[1:], axis=None)
    # The hypothesis is that the distance is the margin at most, and it is rejected by what goes beyond that.
    # To filter by the margin what is found without it would leave the false ones, and void the rate.
    region, *by_chance = (
        _discoveries(_pooled_p_values(found - within, null), rate)
        for found, within in zip(statistic, least, strict=True)
    )
    return _beside_chance(activations, region, statistic[0], by_chance, n_shuffles=n_shuffles)


def lape(
    activations: Activations, seed: int, share: float = 0.01, activity: float = 0.95, n_shuffles: int = 5
) -> Selection:
    """The neurons of lowest activation probability entropy, each to the languages that it is active in."""
    n_layers, n_content = len(activations.layers), activations.n_content
    probability = np.concatenate([activations.positive(i) for i in range(n_layers)], axis=1)
    region, entropy = _low_entropy(probability, share, activity)
    # A sentence takes its tokens along: those above 0, and all of them.
    deal = _shuffles(*n_content.shape, n_shuffles, seed)
    tokens = n_content.reshape(-1)[deal].sum(axis=2)[..., None]
    above = np.concatenate([_dealt_sums(activations.n_positive(i), deal) for i in range(n_layers)], axis=2)
    by_chance = [
        _low_entropy(sums / of_all, share, activity)[0] for sums, of_all in zip(above, tokens, strict=True)
    ]
    score = np.broadcast_to(np.log(len(probability)) - entropy, probability.shape)
    return _beside_chance(activations, region, score, by_chance)


def ap(
    activations: Activations,
    seed: int,
    share: float = 0.01,
    k: int | None = None,
    bottom: bool = True,
    n_shuffles: int = 5,
) -> Selection:
    """The neurons that detect a language best, and those that do worst, by average precision.

    It selects as many of each language when they are shuffled: what the null tells is in which layers.
    """
    n_languages, n_neurons = len(activations.languages), sum(activations.widths)
    k = max(1, round(share * n_neurons)) if k is None else k
    selected = k * (2 if bottom else 1)
    if not 1 <= k <= selected <= n_neurons:
        raise ValueError(
            f"k={k} neurons{' at either end' if bottom else ''}, but there are {n_neurons} in all"
        )
    deal = _deals(n_languages, activations.n_sentences, n_shuffles, seed)
    own = np.repeat(np.arange(n_languages), activations.n_sentences)
    labels = np.empty((len(deal), own.size), dtype=int)
    np.put_along_axis(labels, deal.reshape(len(deal), -1), own[None], axis=1)
    precision = np.empty((len(deal), n_languages, n_neurons))
    ends = np.cumsum(activations.widths)
    for i, (end, width) in enumerate(zip(ends, activations.widths, strict=True)):
        precision[..., end - width : end] = _precision(activations.layer(i), labels)
    regions = np.zeros(precision.shape, dtype=bool)
    for region, found in zip(regions, precision, strict=True):
        order = np.argsort(found, axis=1, kind="stable")
        np.put_along_axis(region, order[:, -k:], True, axis=1)
        if bottom:
            np.put_along_axis(region, order[:, :k], True, axis=1)
    score = np.abs(precision[0] - 1 / n_languages)
    return _beside_chance(activations, regions[0], score, regions[1:], k=k)


RULES: dict[str, Rule] = {rule.__name__: rule for rule in (distinctive, calibrated, zscore, lape, ap)}
"""The rules by name, the leading one first; what stands here when a rule is asked for is what selects."""


def _beside_chance(
    activations: Activations,
    region: np.ndarray,
    score: np.ndarray,
    by_chance: Sequence[np.ndarray],
    **settings: Any,
) -> Selection:
    """What a rule selects beside what it does after each shuffle; arrays [language, neuron of any layer]."""
    ends = np.cumsum(activations.widths)[:-1]
    counts = [[part.sum(axis=1) for part in np.split(selected, ends, axis=1)] for selected in by_chance]
    return Selection(
        region=np.split(region, ends, axis=1),
        score=np.split(score, ends, axis=1),
        expected=np.mean(counts, axis=0).T,
        expected_share=float(np.mean([selected.any(axis=0).mean() for selected in by_chance])),
        settings=settings,
    )


def _affordable(n_shuffles: int, n_tests: int) -> int:
    """As many shuffles as are asked for, where their statistics do not take too much memory."""
    return min(n_shuffles, max(2, NULL_LIMIT // n_tests))


def _shuffled_scores(values: np.ndarray, weights: np.ndarray, deal: np.ndarray) -> Iterator[np.ndarray]:
    """Neuron scores of a layer after each shuffle, shape [language, neuron]."""
    scale = weights[..., None].astype(np.float32)
    for one in deal:
        totals = _dealt_sums(values, one[None], lambda some: some * scale)
        squares = _dealt_sums(values, one[None], lambda some: np.square(some * scale))
        yield _pair_scores(totals, squares, values.shape[1])[0]


def _standardized(values: np.ndarray) -> np.ndarray:
    """z over languages, the last axis but one; 0 where languages do not differ."""
    centred = values - values.mean(axis=-2, keepdims=True)
    spread = values.std(axis=-2, keepdims=True)
    return np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)


def _low_entropy(probability: np.ndarray, share: float, activity: float) -> tuple[np.ndarray, np.ndarray]:
    """Region of LAPE and entropy, from P(activation > 0), shape [language, neuron]."""
    entropy = activation_entropy(probability)
    place = min(max(round(activity * probability.size), 1), probability.size) - 1
    active = probability > np.partition(probability, place, axis=None)[place]
    candidates = np.flatnonzero(active.any(axis=0))
    n_kept = min(round(share * probability.shape[1]), len(candidates))
    kept = candidates[np.argsort(entropy[candidates], kind="stable")[:n_kept]]
    region = np.zeros(probability.shape, dtype=bool)
    region[:, kept] = active[:, kept]
    return region, entropy


def _shuffles(n_languages: int, n_meanings: int, n_shuffles: int, seed: int) -> np.ndarray:
    """Deal the sentences of every meaning to the languages at random.

    Returns
    -------
    int array, shape [shuffle, language, meaning]
        Which sentence of each meaning a language is dealt, counted through all languages: sentence m of
        language k is k · meanings + m. The same ones for the same seed.
    """
    meanings = np.arange(n_meanings)
    dealt = np.tile(np.arange(n_languages, dtype=np.int32), (n_shuffles, n_meanings, 1))
    dealt = np.random.default_rng(seed).permuted(dealt, axis=2)
    return dealt.transpose(0, 2, 1) * n_meanings + meanings


def _deals(n_languages: int, n_meanings: int, n_shuffles: int, seed: int) -> np.ndarray:
    """The shuffle that shuffles nothing, and then those of :func:`_shuffles`."""
    as_they_are = np.arange(n_languages * n_meanings).reshape(1, n_languages, n_meanings)
    return np.concatenate([as_they_are, _shuffles(n_languages, n_meanings, n_shuffles, seed)])


def _sums(values: np.ndarray, deal: np.ndarray) -> np.ndarray:
    """Sums over the sentences that each language is dealt, float32 [shuffle, language, neuron]."""
    table = torch.from_numpy(np.ascontiguousarray(values.reshape(-1, values.shape[-1]), dtype=np.float32))
    rows = torch.from_numpy(deal.reshape(-1, deal.shape[-1]))
    return embedding_bag(rows, table, mode="sum").view(*deal.shape[:2], -1).numpy()


def _dealt_sums(
    values: np.ndarray, deal: np.ndarray, function: Callable[[np.ndarray], np.ndarray] = np.asarray
) -> np.ndarray:
    """Sums over the sentences that each language is dealt, a few neurons at a time.

    Parameters
    ----------
    values : array, shape [language, sentence, neuron]
    deal : int array, shape [shuffle, language, sentence]
    function : callable
        What to sum: takes some neurons' values and returns as many numbers.

    Returns
    -------
    array, float32, shape [shuffle, language, neuron]
    """
    n_languages, n_meanings, n_neurons = values.shape
    sums = np.empty((*deal.shape[:2], n_neurons), dtype=np.float32)
    at_once = max(1, BLOCK_BYTES // (4 * n_languages * n_meanings))
    for start in range(0, n_neurons, at_once):
        some = slice(start, start + at_once)
        sums[:, :, some] = _sums(function(values[:, :, some]), deal)
    return sums


def distinctness(means: np.ndarray, errors: np.ndarray | float = 0.0) -> np.ndarray:
    """How far a language's mean goes outwards beyond what the other languages' means predict.

    With m and s the mean and standard deviation (L − 2 degrees of freedom) of the other languages' means, the
    statistic is the distance of a_l from the interval between 0 and m, over the standard error of predicting
    one more language, √(max(s, e_l)² + s² / (L − 1)). Where a_l lies outwards of m and its own standard error
    e_l is no larger than s, it is the externally studentised residual of a_l among the languages: Student's t
    with L − 2 degrees of freedom if the means are drawn from one normal distribution, whatever its mean and
    width. e_l keeps a language of which less is known, or a rare large value, from standing out by it.

    Outwards from 0, of either sign, as in :func:`prominence`. Since a neuron around 0 has two such sides, a
    p-value is twice the upper tail; where all languages are on one side, that is up to two times too large.

    Parameters
    ----------
    means : array, shape [..., language, neuron]
        Mean activation of each of at least 3 languages.
    errors : float or array of the same shape
        Their standard errors.

    Returns
    -------
    array, float64, of the same shape
        Negative where a_l lies between 0 and m; 0 where nothing differs.

    Examples
    --------
    >>> distinctness(np.array([[1.0], [2.0], [3.0], [6.0]])).round(2).ravel().tolist()
    [-1.11, -0.57, 0.0, 3.46]
    """
    n_languages = means.shape[-2]
    means = np.asarray(means, dtype=np.float64)
    centre = means.mean(axis=-2, keepdims=True)
    others = centre - (means - centre) / (n_languages - 1)
    # What the others' squares around their own mean add up to, from those around the mean of all.
    apart = np.square(means - centre)
    squares = apart.sum(axis=-2, keepdims=True) - apart * n_languages / (n_languages - 1)
    variance = np.maximum(squares, 0) / (n_languages - 2)
    beyond = np.abs(means) - np.maximum(np.sign(means) * others, 0)
    scale = np.sqrt(np.maximum(variance, np.square(errors)) + variance / (n_languages - 1))
    return np.divide(beyond, scale, out=np.zeros_like(means), where=scale > 0)


def _in_blocks(function: Callable, values: np.ndarray, deal: np.ndarray) -> tuple[np.ndarray, ...]:
    """What a function of values and deal returns, arrays [..., neuron], made a few neurons at a time."""
    n_languages, n_meanings, n_neurons = values.shape
    at_once = max(1, BLOCK_BYTES // (4 * (2 * n_languages * n_meanings + 4 * deal.shape[0] * n_languages)))
    blocks = [function(values[:, :, start : start + at_once], deal) for start in range(0, n_neurons, at_once)]
    return tuple(np.concatenate(parts, axis=-1) for parts in zip(*blocks, strict=True))


def _means(values: np.ndarray, deal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the sentences that each language is dealt, and its standard error.

    The error is that of a difference between languages: each meaning's mean over languages is taken off.
    Float32, both of shape [shuffle, language, neuron].
    """
    n_languages, n_meanings, _ = values.shape
    centre = values.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
    apart = np.asarray(values - values.mean(axis=0), dtype=np.float32)
    around = np.asarray(values - centre, dtype=np.float32)
    # What a sentence adds beyond its meaning sums to the same as what it adds beyond the grand mean.
    sums, squares = _sums(around, deal), _sums(np.square(apart), deal)
    variance = (squares - sums**2 / n_meanings) / max(n_meanings - 1, 1) * n_languages / (n_languages - 1)
    # Below float32 resolution a difference is rounding, not language.
    resolution = 4 * np.finfo(np.float32).eps * np.sqrt(np.mean(np.square(values), axis=(0, 1)))
    return centre + sums / n_meanings, np.sqrt(np.maximum(variance, 0) / n_meanings + resolution**2)


def prominence(values: np.ndarray, deal: np.ndarray, margin: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """How far a neuron's mean activation in one language goes beyond what it does anyway.

    With a_l the mean over sentences of language l and c the median over languages, the statistic is the
    distance of a_l from the interval between 0 and c, divided by max(e_l, w): e_l is the standard error of
    a_l once each meaning's mean over languages is taken off; w the ordinary difference between languages,
    √(d² − e_l²) with d the distance from c to the decile on the other side. So a language is prominent where
    it exceeds both the noise of the sample and the differences that the other languages have anyway.

    Outwards from 0, of either sign, because the neuron score of the paper (:func:`neuron_scores`) estimates
    a_l²: a neuron that a language quiets is not key to it. A median, and the spread on the other side of it,
    so that up to half of the languages can be prominent on one neuron. Each mean by its own standard error,
    so that neither the scale nor the tails of a neuron matter.

    Parameters
    ----------
    values : array, shape [language, sentence, neuron]
    deal : int array, shape [shuffle, language, meaning]
        Which sentence of each meaning a language has: sentence m of language k is k · meanings + m.
    margin : float
        In standard deviations of single sentences, as their mean absolute deviation has it.

    Returns
    -------
    statistic : array, float32, shape [shuffle, language, neuron]
    least : array of the same shape
        What the statistic would be at the margin: with enough sentences any distance is certain, but few
        matter.
    """
    return _in_blocks(partial(_prominence, margin=margin), values, deal)


def _prominence(values: np.ndarray, deal: np.ndarray, margin: float) -> tuple[np.ndarray, np.ndarray]:
    n_languages = len(values)
    mean, error = _means(values, deal)
    ordered = np.sort(mean, axis=1)
    middle = ordered[:, (n_languages - 1) // 2 : n_languages // 2 + 1]
    nearest = np.argmin(np.abs(middle), axis=1)[:, None]
    median = np.take_along_axis(middle, nearest, axis=1)
    outward = np.sign(mean)
    low, high = np.quantile(ordered, (0.1, 0.9), axis=1).astype(np.float32)[:, :, None]
    ordinary = np.where(outward > 0, median - low, high - median)
    scale = np.sqrt(np.maximum(error**2, ordinary**2 - error**2))
    beyond = np.abs(mean) - np.maximum(outward * median, 0)
    # What is left of a sentence without its meaning and its language; means of sizes shrug at outliers.
    apart = values - values.mean(axis=0)
    rest = np.abs(apart - apart.mean(axis=1, keepdims=True)).mean(axis=(0, 1))
    typical = MEAN_SIZE * rest * np.sqrt(n_languages / (n_languages - 1))
    statistic, least = (
        np.divide(distance, scale, out=np.zeros_like(mean), where=scale > 0)
        for distance in (beyond, margin * typical)
    )
    return statistic, least


def _discoveries(p_values: np.ndarray, rate: float) -> np.ndarray:
    """Which of many hypotheses to reject at a false discovery rate (Benjamini and Hochberg 1995)."""
    return (stats.false_discovery_control(p_values.ravel()) <= rate).reshape(p_values.shape)


def _pooled_p_values(statistic: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Share of a sorted pooled null that reaches each statistic, counting the statistic itself."""
    reached = null.size - np.searchsorted(null, statistic, side="left")
    return (1 + reached) / (1 + null.size)


def activation_entropy(positive: np.ndarray) -> np.ndarray:
    """Entropy over languages of how often a neuron is active (LAPE; Tang et al. 2024, equation 4).

    Parameters
    ----------
    positive : array, shape [language, neuron]
        Probability that the activation is above 0.

    Returns
    -------
    array, shape [neuron]
        In nats, 0 (active in one language only) to ln L; ln L where a neuron is never active.
    """
    total = positive.sum(axis=0)
    share = np.divide(
        positive, total, out=np.full(positive.shape, 1 / len(positive), dtype=np.float64), where=total > 0
    )
    return -np.sum(share * np.log(share, out=np.zeros_like(share), where=share > 0), axis=0)


def average_precision(values: np.ndarray) -> np.ndarray:
    """How well each neuron's activation alone detects each language among all sentences.

    Average precision of one language against the rest, Σ (R_n − R_{n−1}) P_n over the distinct values as
    thresholds: scikit-learn's ``average_precision_score``, for all languages from one sort of each neuron.
    Used to find language neurons by Kojima et al. (2024).

    Parameters
    ----------
    values : array of floats, shape [language, sentence, neuron]

    Returns
    -------
    array, float64, shape [language, neuron]
        Above 0 and at most 1; about 1 / L for a neuron that knows nothing of languages.
    """
    return _precision(values, np.repeat(np.arange(len(values)), values.shape[1])[None])[0]


def _precision(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Average precision by several labellings of the sentences, each sorted once.

    ``labels`` are ints of shape [labelling, language · sentence], as many of each language; the answer has
    shape [labelling, language, neuron].
    """
    n_languages, _, n_neurons = values.shape
    labels = labels.astype(np.min_scalar_type(n_languages - 1))  # small ones sort faster
    starts = range(0, n_neurons, AP_SLAB)
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        slabs = pool.map(lambda start: _slab_precision(values[:, :, start : start + AP_SLAB], labels), starts)
        return np.concatenate([np.empty((len(labels), n_languages, 0)), *slabs], axis=2)


def _slab_precision(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Average precision of a few neurons, block by block as fits the processor's cache."""
    n_languages, n_sentences, n_neurons = values.shape
    rows = np.ascontiguousarray(values.reshape(-1, n_neurons).T)
    reciprocals = 1 / np.arange(1, rows.shape[1] + 1)
    precision = np.empty((len(labels), n_neurons, n_languages))
    height = max(1, AP_BLOCK // rows.shape[1])
    for start in range(0, n_neurons, height):
        some_rows = rows[start : start + height]
        order = np.argsort(-some_rows, axis=1)
        ordered = _take(some_rows, order)
        tied = ordered[:, 1:] == ordered[:, :-1]
        some = np.flatnonzero(tied.any(axis=1))
        for labelling, found in zip(labels, precision[:, start : start + height], strict=True):
            # A stable sort of the ordered labels lists, language by language, the places its sentences have.
            places = np.argsort(labelling.take(order), axis=1, kind="stable")
            weights = reciprocals.take(places)
            from_ties = _settle_ties(weights, places, tied, some, n_languages) if some.size else 0
            found[:] = weights.reshape(-1, n_languages, n_sentences) @ np.arange(1.0, n_sentences + 1)
            found[some] += from_ties
            found /= n_sentences
    return precision.transpose(0, 2, 1)


def _settle_ties(
    weights: np.ndarray, places: np.ndarray, tied: np.ndarray, some: np.ndarray, n_languages: int
) -> np.ndarray:
    """Take tied values out of ``weights`` and return what they add as one threshold for each run of equals.

    ``weights`` and ``places`` list the sentences by language, ``tied`` by value, one row for each neuron;
    ``some`` are the rows with ties. Shape of the answer: [row with ties, language].
    """
    places = places[some]
    n_rows, n_places = places.shape
    linked = np.zeros((n_rows, n_places + 1), dtype=bool)
    linked[:, 1:-1] = tied[some]
    before, after = linked[:, :-1], linked[:, 1:]
    weights[some] = np.where(_take(before | after, places), 0, weights[some])

    row, start = np.nonzero(after & ~before)
    reach = np.nonzero(before & ~after)[1] + 1  # how many sentences have at least the value of the run
    lists = np.arange(n_rows * n_languages).reshape(n_rows, n_languages) * n_places
    ordered = (places.reshape(n_rows * n_languages, -1) + lists.reshape(-1, 1)).reshape(-1)
    first = np.arange(n_rows * n_languages).reshape(n_rows, n_languages) * (n_places // n_languages)
    hits = np.searchsorted(ordered, lists[row] + reach[:, None]) - first[row]
    earlier = np.searchsorted(ordered, lists[row] + start[:, None]) - first[row]
    added = np.zeros((n_rows, n_languages))
    np.add.at(added, row, (hits - earlier) * hits / reach[:, None])
    return added


def _take(rows: np.ndarray, places: np.ndarray) -> np.ndarray:
    """``np.take_along_axis(rows, places, axis=1)``, several times faster."""
    return rows.take(places + np.arange(0, rows.size, rows.shape[1])[:, None])


# -- where regions lie, and how far they overlap


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


def overlap(regions: Regions, within: np.ndarray | slice = slice(None)) -> pd.DataFrame:
    """:func:`jaccard` of every two languages' regions; of many languages of each with a few targets.

    Parameters
    ----------
    regions : Regions
    within : bool array, shape [layer], optional
        Layers to look at, such as those of one of the :func:`stacks`.

    Returns
    -------
    DataFrame
        ``source``, ``target``, ``jaccard``, ``chance``, as
        :func:`lingua_utils.measure.sums.between_languages` has its rows: of more than 30 languages means
        over those pairs of which not both regions are empty.
    """
    shared = expected = np.zeros((len(regions.languages),) * 2)
    for layer in np.arange(len(regions.layers))[within]:
        chosen = regions.region[:, layer].astype(np.float32)
        count = chosen.sum(axis=1, dtype=np.float64)
        shared = shared + chosen @ chosen.T
        expected = expected + np.outer(count, count) / regions.widths[layer]
    size = regions.count[:, within].sum(axis=1)
    both = (size[:, None] + size).astype(float)
    both[both == 0] = np.nan
    return between_languages(
        regions.languages, jaccard=shared / (both - shared), chance=expected / (both - expected)
    )


def _opened(activations: Any) -> Activations:
    return activations if hasattr(activations, "layers") else Activations.from_array(np.asarray(activations))


def _padded(layers: list[np.ndarray], fill: Any) -> np.ndarray:
    """Layers [language, neuron] as one array [language, layer, neuron] as wide as the widest."""
    width = max(layer.shape[1] for layer in layers)
    padded = np.full((len(layers[0]), len(layers), width), fill, dtype=layers[0].dtype)
    for i, layer in enumerate(layers):
        padded[:, i, : layer.shape[1]] = layer
    return padded
