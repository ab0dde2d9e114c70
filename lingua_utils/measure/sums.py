"""Sufficient statistics of sentence activations, streamed over blocks of sentences.

LRDS, SADS, neuron scores and variance shares are all functions of a few sums over sentences.
:class:`Sums` keeps those sums and forgets the sentences, so that memory depends on the model and on the
number of languages, never on the size of the corpus.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from lingua_utils import files


@dataclass
class UnitSums:
    """Sums of unit vectors u[l, m] (language l, meaning m), in float64.

    Attributes
    ----------
    totals : list over layers of arrays, shape [group, language, neuron]
        Sum of u over the meanings of a group.
    squares : list over layers of arrays, shape [language, neuron]
        Sum of u² over all meanings.
    meanings : array, shape [layer, group]
        Sum over the meanings of a group of ‖Σ_l u[l, m]‖², the neurons of one layer only.
    """

    totals: list[np.ndarray]
    squares: list[np.ndarray]
    meanings: np.ndarray


@dataclass
class Sums:
    """What similarity, neuron scores and variance shares need of the activations, and nothing else.

    Meanings are dealt into ``n_groups`` groups, so that intervals can be had by leaving out one group at a
    time. A mean activation a[l, m] is made a unit vector in two ways: ``within_layer`` divides each layer by
    its own norm; ``over_layers`` divides all layers by the norm of all of them concatenated, as the neuron
    scores and the figures "over all layers" of Zeng et al. (2025) do.

    Memory is about 16 · n_groups · L · (neurons of the model) bytes, whatever the number of sentences.

    Attributes
    ----------
    languages, layers, widths : tuples
        Language codes, layer labels, neurons of each layer.
    counts : int array, shape [group]
        Meanings seen so far.
    within_layer, over_layers : UnitSums
    raw_totals : list over layers of arrays, shape [language, neuron]
        Sum of a over meanings.
    raw_squares : list over layers of arrays, shape [neuron]
        Sum of a² over languages and meanings.
    raw_meanings : list over layers of arrays, shape [neuron]
        Sum over meanings of (Σ_l a)².
    """

    languages: tuple[str, ...]
    layers: tuple[str, ...]
    widths: tuple[int, ...]
    counts: np.ndarray
    within_layer: UnitSums
    over_layers: UnitSums
    raw_totals: list[np.ndarray]
    raw_squares: list[np.ndarray]
    raw_meanings: list[np.ndarray]

    @classmethod
    def empty(
        cls, languages: Sequence[str], layers: Sequence[str], widths: Sequence[int], n_groups: int = 20
    ) -> Sums:
        """Sums over no sentence yet.

        Raises
        ------
        ValueError
            When layers and widths differ in number, or with fewer than 2 groups.
        """
        if len(layers) != len(widths):
            raise ValueError(f"{len(layers)} layers but {len(widths)} widths: give one width a layer")
        if n_groups < 2:
            raise ValueError(f"n_groups={n_groups}: leaving one group out needs at least 2")
        n_languages = len(languages)

        def zeros(*shape: int) -> list[np.ndarray]:
            return [np.zeros((*shape, width)) for width in widths]

        def units() -> UnitSums:
            return UnitSums(
                zeros(n_groups, n_languages), zeros(n_languages), np.zeros((len(layers), n_groups))
            )

        return cls(
            languages=tuple(languages),
            layers=tuple(layers),
            widths=tuple(int(width) for width in widths),
            counts=np.zeros(n_groups, dtype=np.int64),
            within_layer=units(),
            over_layers=units(),
            raw_totals=zeros(n_languages),
            raw_squares=zeros(),
            raw_meanings=zeros(),
        )

    @property
    def n_groups(self) -> int:
        return len(self.counts)

    @property
    def n_sentences(self) -> int:
        """Meanings seen so far, each in every language."""
        return int(self.counts.sum())

    def add(
        self, block: Sequence[np.ndarray], groups: np.ndarray, sentences: np.ndarray | None = None
    ) -> None:
        """Add some meanings, each in every language.

        Parameters
        ----------
        block : list over layers of arrays, shape [language, meaning, neuron]
            Mean activations, of any float type; summed in float64.
        groups : int array, shape [meaning]
            The group of each meaning: its index in the corpus modulo ``n_groups``.
        sentences : int array, shape [meaning], optional
            Index of each meaning in the corpus, named in errors. Default: counted from those already added.

        Raises
        ------
        ValueError
            For a shape that does not fit, or an activation that is not finite or has norm 0 in a layer; the
            message names layer, language and sentence. Nothing has been added then.
        """
        groups = np.asarray(groups)
        expected = [(len(self.languages), len(groups), width) for width in self.widths]
        shapes = [np.shape(values) for values in block]
        if shapes != expected:
            raise ValueError(f"block of shapes {shapes}, expected [language, meaning, neuron] = {expected}")
        if len(groups) and (groups.min() < 0 or groups.max() >= self.n_groups):
            raise ValueError(f"groups must be 0 to {self.n_groups - 1}, got {groups.min()} to {groups.max()}")
        if sentences is None:
            sentences = self.n_sentences + np.arange(len(groups))

        squared = np.stack([_squared_norms(values) for values in block])  # [layer, language, meaning]
        self._check(squared, sentences)
        layer_norms, norms = np.sqrt(squared), np.sqrt(squared.sum(axis=0))
        for i, values in enumerate(block):
            values = np.asarray(values, dtype=np.float64)
            self.raw_totals[i] += values.sum(axis=1)
            self.raw_squares[i] += np.einsum("lmn,lmn->n", values, values)
            over_languages = values.sum(axis=0)
            self.raw_meanings[i] += np.einsum("mn,mn->n", over_languages, over_languages)
            _add_units(self.within_layer, i, values / layer_norms[i, :, :, None], groups)
            _add_units(self.over_layers, i, values / norms[:, :, None], groups)
        self.counts += np.bincount(groups, minlength=self.n_groups)

    def merge(self, other: Sums) -> None:
        """Add the sums of other sentences, in place.

        Raises
        ------
        ValueError
            When languages, layers, widths or the number of groups differ.
        """
        for name in ("languages", "layers", "widths", "n_groups"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise ValueError(f"cannot merge sums: {name} is {mine} here and {theirs} there")
        theirs = other._tensors()
        for name, mine in self._tensors().items():
            mine += theirs[name]

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file, whole or not at all."""
        header = {"languages": self.languages, "layers": self.layers, "widths": self.widths}
        with files.writing(path) as temporary:
            save_file(self._tensors(), temporary, {"sums": json.dumps(header)})
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> Sums:
        """Read what :meth:`save` wrote.

        Raises
        ------
        FileNotFoundError, ValueError
            When there is no such file, or it holds something else.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"no sums at {path}: capture with keep='sums' writes them")
        with safe_open(path, framework="numpy") as file:
            if "sums" not in (file.metadata() or {}):
                raise ValueError(f"{path} is a safetensors file, but not one of sums")
            header = json.loads(file.metadata()["sums"])
            sums = cls.empty(**header, n_groups=file.get_slice("counts").get_shape()[0])
            for name, mine in sums._tensors().items():
                mine[...] = file.get_tensor(name)
        return sums

    def _tensors(self) -> dict[str, np.ndarray]:
        """Every array by a name of its own; the arrays themselves, not copies."""
        tensors = {"counts": self.counts}
        for scope in ("within_layer", "over_layers"):
            units: UnitSums = getattr(self, scope)
            tensors[f"{scope}.meanings"] = units.meanings
            for i in range(len(self.layers)):
                tensors[f"{scope}.totals.{i}"] = units.totals[i]
                tensors[f"{scope}.squares.{i}"] = units.squares[i]
        for name in ("raw_totals", "raw_squares", "raw_meanings"):
            tensors |= {f"{name}.{i}": values for i, values in enumerate(getattr(self, name))}
        return tensors

    def _check(self, squared: np.ndarray, sentences: np.ndarray) -> None:
        wrong = np.argwhere(~(np.isfinite(squared) & (squared > 0)))
        if len(wrong):
            layer, language, meaning = wrong[0]
            fault = "of norm 0" if squared[tuple(wrong[0])] == 0 else "that is not finite"
            raise ValueError(
                f"layer {self.layers[layer]}: {self.languages[language]} sentence {sentences[meaning]} has "
                f"an activation {fault}, which has no direction to compare; leave that sentence out"
            )


def _squared_norms(values: np.ndarray) -> np.ndarray:
    """Σ over neurons of values², in float64, shape [language, meaning]."""
    values = np.asarray(values, dtype=np.float64)
    return np.einsum("lmn,lmn->lm", values, values)


def _add_units(sums: UnitSums, layer: int, units: np.ndarray, groups: np.ndarray) -> None:
    sums.squares[layer] += np.einsum("lmn,lmn->ln", units, units)
    over_languages = units.sum(axis=0)
    meanings = np.einsum("mn,mn->m", over_languages, over_languages)
    for group in np.unique(groups):
        chosen = groups == group
        sums.totals[layer][group] += units[:, chosen].sum(axis=1)
        sums.meanings[layer, group] += meanings[chosen].sum()
