"""Sentence vectors read in blocks: what similarity, its nulls and retrieval have in common.

The vectors of a large model do not fit in memory twice, so nothing here copies them whole. Pieces of
sentences or of neurons are taken to float64 one at a time; cosines come from products that add up over
neurons, and so over layers."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from lingua_utils.measure.sums import Sums

TILE = 1 << 17  # numbers in a tile: 1 MiB in float64, so that it stays in a processor's cache
BLOCK = 1 << 20  # numbers in a block of neurons of all sentences: 8 MiB in float64
KEPT = 1 << 24  # unit vectors up to so many numbers are kept: 64 MiB in float32

# Where a mean is subtracted, what is left of a vector equal to it is rounding: about 1e-16 of the mean.
ROUNDING = 1e-13


@dataclass(frozen=True, eq=False)
class Layer:
    """Vectors of one layer, [language, sentence, neuron], read when needed.

    Parameters
    ----------
    read : function without arguments
        Gives an array (also memory-mapped, or anything with ``shape`` that can be sliced) of that shape.
    label : str
        Named in errors; may be empty.
    languages : tuple of str
        Codes, or positions as text.
    chosen : int array, optional
        The sentences to use; all of them by default.
    centre : float64 array, shape [language or 1, 1, neuron], optional
        Subtracted from every vector.
    """

    read: Callable[[], Any]
    label: str
    languages: tuple[str, ...]
    chosen: np.ndarray | None = None
    centre: np.ndarray | None = None

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        n_languages, n_sentences, width = self.read().shape
        return n_languages, n_sentences if self.chosen is None else len(self.chosen), width

    def tiles(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """All vectors in pieces: (sentences, neurons, float64 array [language, sentences, neurons])."""
        n_languages, n_sentences, width = self.shape
        values = self.read()
        wide = min(width, max(1, TILE // n_languages))
        long = max(1, TILE // (n_languages * wide))
        for first in range(0, n_sentences, long):
            sentences = slice(first, min(first + long, n_sentences))
            rows = sentences if self.chosen is None else self.chosen[sentences]
            for start in range(0, width, wide):
                neurons = slice(start, start + wide)
                yield sentences, neurons, self._piece(values, rows, neurons)

    def by_neurons(self) -> Iterator[np.ndarray]:
        """Blocks [language, sentence, some neurons] in float64."""
        n_languages, n_sentences, width = self.shape
        values, step = self.read(), max(1, BLOCK // (n_languages * n_sentences))
        rows = slice(None) if self.chosen is None else self.chosen
        for start in range(0, width, step):
            yield self._piece(values, rows, slice(start, start + step))

    def centred(self, per_language: bool = False) -> "Layer":
        """The same vectors without their mean over all languages and sentences, or within each language."""
        n_languages, n_sentences, width = self.shape
        total = np.zeros((n_languages, 1, width))
        for _, neurons, tile in self.tiles():
            total[:, :, neurons] += tile.sum(axis=1, keepdims=True)
        mean = total / n_sentences
        return replace(self, centre=mean if per_language else mean.mean(axis=0, keepdims=True))

    @cached_property
    def gram(self) -> np.ndarray:
        """Products a[k, m]·a[l, m] of translations, shape [sentence, language, language]."""
        n_languages, n_sentences, _ = self.shape
        gram = np.zeros((n_sentences, n_languages, n_languages))
        with np.errstate(invalid="ignore", over="ignore"):  # not finite: Vectors.weights names the sentence
            for sentences, _, tile in self.tiles():
                rows = tile.transpose(1, 0, 2)
                gram[sentences] += rows @ rows.transpose(0, 2, 1)
        return gram

    def cross(self, weights: np.ndarray) -> np.ndarray:
        """Products S[k]·u[l, m] with u = weight · a and S[k] = Σ_m u[k, m], shape [sentence, language,
        language].

        ``weights`` has shape [language, sentence].
        """
        n_languages, n_sentences, width = self.shape
        totals = np.zeros((n_languages, width))
        for sentences, neurons, tile in self.tiles():
            totals[:, neurons] += (weights[:, None, sentences] @ tile)[:, 0]
        cross = np.zeros((n_sentences, n_languages, n_languages))
        for sentences, neurons, tile in self.tiles():
            cross[sentences] += totals[:, neurons] @ tile.transpose(1, 2, 0)
        cross *= weights.T[:, None, :]
        return cross

    def floor(self) -> np.ndarray | float:
        """Squared norm, shape [language, 1], at which a vector is nothing but rounding."""
        return 0.0 if self.centre is None else ROUNDING**2 * np.square(self.centre).sum(axis=-1)

    def _piece(self, values: Any, rows: slice | np.ndarray, neurons: slice) -> np.ndarray:
        piece = np.asarray(values[:, rows, neurons], dtype=np.float64)
        # Not in place: the piece may still be the caller's own array.
        return piece if self.centre is None else piece - self.centre[:, :, neurons]


@dataclass(frozen=True, eq=False)
class Vectors:
    """One layer, or several concatenated, as directions: u[l, m] = a[l, m] / ‖a[l, m]‖.

    Parameters
    ----------
    layers : sequence of Layer
        All with the same languages and sentences.
    """

    layers: Sequence[Layer]

    @property
    def languages(self) -> tuple[str, ...]:
        return self.layers[0].languages

    @property
    def n_sentences(self) -> int:
        return self.layers[0].shape[1]

    @cached_property
    def squared_norms(self) -> np.ndarray:
        """‖a‖², shape [language, sentence]; exactly 0 where only rounding is left after centring."""
        squared = sum(np.einsum("mll->lm", layer.gram) for layer in self.layers)
        return np.where(squared <= sum(layer.floor() for layer in self.layers), 0.0, squared)

    @cached_property
    def weights(self) -> np.ndarray:
        """1 / ‖a‖, shape [language, sentence].

        Raises
        ------
        ValueError
            For a vector of norm 0 or one that is not finite; the message names language and sentence.
        """
        wrong = np.argwhere(~(np.isfinite(self.squared_norms) & (self.squared_norms > 0)))
        if len(wrong):
            language, sentence = wrong[0]
            first = self.layers[0]
            if first.chosen is not None:
                sentence = first.chosen[sentence]
            where = f"layer {first.label}: " if len(self.layers) == 1 and first.label else ""
            fault = "has norm 0" if self.squared_norms[tuple(wrong[0])] == 0 else "is not finite"
            after = "" if first.centre is None else " after the mean is subtracted"
            raise ValueError(
                f"{where}vector [language {self.languages[language]}, sentence {sentence}] {fault}{after}, "
                "so it has no direction to compare; leave that sentence out"
            )
        return 1 / np.sqrt(self.squared_norms)

    @cached_property
    def gram(self) -> np.ndarray:
        """Cosines of translations u[k, m]·u[l, m], shape [sentence, language, language]."""
        scale = self.weights.T[:, :, None] * self.weights.T[:, None, :]
        return sum(layer.gram for layer in self.layers) * scale

    @cached_property
    def cross(self) -> np.ndarray:
        """Σ over m' of u[k, m']·u[l, m], shape [sentence, language k, language l]."""
        return sum(layer.cross(self.weights) for layer in self.layers)

    def units(self) -> Iterable[np.ndarray]:
        """Unit vectors, some neurons at a time: float32 arrays [language, sentence, some neurons].

        A vector of norm 0 gives zeros: its cosine with any other is taken as 0. They are made anew at each
        call, unless they are few enough to be kept.
        """
        return (
            self._kept_units if sum(np.prod(layer.shape) for layer in self.layers) <= KEPT else self._units()
        )

    @cached_property
    def _kept_units(self) -> list[np.ndarray]:
        return list(self._units())

    def _units(self) -> Iterator[np.ndarray]:
        with np.errstate(divide="ignore"):
            weights = np.where(self.squared_norms > 0, 1 / np.sqrt(self.squared_norms), 0)[:, :, None]
        for layer in self.layers:
            for block in layer.by_neurons():
                yield (block * weights).astype(np.float32)


def single(vectors: Any, languages: Sequence[str] | None = None) -> Vectors:
    """An array [language, sentence, neuron] as :class:`Vectors`, which itself is returned as it is.

    Raises
    ------
    ValueError
        For another number of axes, or fewer than 2 languages or sentences; the message gives the counts.
    """
    if isinstance(vectors, Vectors):
        return vectors
    if not hasattr(vectors, "shape"):
        vectors = np.asarray(vectors)
    if len(vectors.shape) != 3:
        raise ValueError(f"vectors have shape {tuple(vectors.shape)}; expected [language, sentence, neuron]")
    check_counts(*vectors.shape[:2])
    names = tuple(str(i) for i in range(vectors.shape[0])) if languages is None else tuple(languages)
    if len(names) != vectors.shape[0]:
        raise ValueError(f"{len(names)} language names for vectors of {vectors.shape[0]} languages")
    return Vectors([Layer(lambda: vectors, "", names)])


def check_counts(n_languages: int, n_sentences: int) -> None:
    """ValueError unless there are pairs of every kind to compare."""
    if n_languages < 2 or n_sentences < 2:
        raise ValueError(
            f"{n_languages} languages × {n_sentences} sentences: comparing needs at least 2 of each"
        )


def sums_of(activations: Any) -> Sums | None:
    """Sums as they are, or those of an ``Activations`` that keeps nothing else; otherwise None."""
    if isinstance(activations, Sums):
        return activations
    return activations.sums if getattr(activations, "keep", "sentences") == "sums" else None


@dataclass(frozen=True, eq=False)
class Stack:
    """All layers of a model on a corpus, from an ``Activations`` or an array [language, sentence, layer,
    neuron]."""

    layers: tuple[Layer, ...]
    kinds: tuple[str, ...] | None = None

    @classmethod
    def of(cls, activations: Any) -> "Stack":
        """Wrap without reading.

        Raises
        ------
        ValueError
            For sums without sentences, another number of axes, or fewer than 2 languages or sentences.
        """
        if sums_of(activations) is not None:
            raise ValueError(
                "these activations hold sums only; capture with keep='sentences' for this measure"
            )
        if hasattr(activations, "layer"):
            check_counts(len(activations.languages), activations.n_sentences)
            layers = [
                Layer(lambda i=i: activations.layer(i), label, tuple(activations.languages))
                for i, label in enumerate(activations.layers)
            ]
            return cls(tuple(layers), activations.kinds)
        values = activations if hasattr(activations, "shape") else np.asarray(activations)
        if len(values.shape) != 4:
            raise ValueError(
                f"activations have shape {tuple(values.shape)}; expected [language, sentence, layer, neuron]"
            )
        check_counts(*values.shape[:2])
        names = tuple(str(i) for i in range(values.shape[0]))
        return cls(tuple(Layer(lambda i=i: values[:, :, i], str(i), names) for i in range(values.shape[2])))

    def select(self, chosen: np.ndarray) -> "Stack":
        """Some of the sentences, by index."""
        kinds = None if self.kinds is None else tuple(self.kinds[m] for m in chosen)
        return Stack(tuple(replace(layer, chosen=chosen) for layer in self.layers), kinds)

    def centred(self, per_language: bool = False) -> "Stack":
        """Every layer without its mean over languages and sentences, or within each language."""
        return replace(self, layers=tuple(layer.centred(per_language) for layer in self.layers))

    def scopes(self) -> Iterator[tuple[str, int, Vectors]]:
        """(label, index, vectors) of each layer, then ("all", -1, vectors) of all concatenated."""
        for i, layer in enumerate(self.layers):
            yield layer.label, i, Vectors([layer])
        yield "all", -1, self.concatenated()

    def concatenated(self) -> Vectors:
        return Vectors(self.layers)
