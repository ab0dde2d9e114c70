"""Vectors of sentences, on a scale, and the sums over them that close.

The vectors of a large model do not fit in memory twice, so nothing here copies them whole. Pieces of
sentences or of neurons are taken to float64 one at a time; cosines come from products that add up over
neurons, and so over layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from lingua_utils.text.languages import get_language, is_language

ALL_PAIRS = 30  # languages up to which every two are compared one by one
PIVOT = "eng_Latn"  # what more languages are compared with; the first, where it is missing
FAMILY, OTHERS = "family", "others"  # and the other languages of a language's family, and all others

SCALES = ("standardised", "centred", "raw")  # the leading one first

TILE = 1 << 17  # numbers in a tile: 1 MiB in float64, so that it stays in a processor's cache
BLOCK = 1 << 20  # numbers in a block of neurons of all sentences: 8 MiB in float64
KEPT = 1 << 24  # unit vectors up to so many numbers are kept: 64 MiB in float32

# Where a mean is subtracted, what is left of a vector equal to it is rounding: about 1e-16 of the mean.
ROUNDING = 1e-13


@dataclass(frozen=True, eq=False)
class _Layer:
    """Values of one layer, [language, sentence, neuron], read when needed, shifted and divided."""

    read: Callable[[], Any]
    label: str
    shape: tuple[int, int, int]
    chosen: np.ndarray | None = None
    centre: np.ndarray | None = None  # float64, [language or 1, 1, neuron]
    spread: np.ndarray | None = None  # float64, [1, 1, neuron]; infinite where a neuron never varies

    def tiles(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """All values in pieces: (sentences, neurons, float64 array [language, sentences, neurons])."""
        n_languages, n_sentences, width = self.shape
        values = self.read()
        wide = min(width, max(1, TILE // n_languages))
        long = max(1, TILE // (n_languages * wide))
        for first in range(0, n_sentences, long):
            sentences = slice(first, min(first + long, n_sentences))
            rows = sentences if self.chosen is None else self.chosen[sentences]
            for start in range(0, width, wide):
                neurons = slice(start, start + wide)
                yield sentences, neurons, self.piece(values, rows, neurons)

    def by_neurons(self) -> Iterator[np.ndarray]:
        """Blocks [language, sentence, some neurons] in float64."""
        n_languages, n_sentences, width = self.shape
        values, step = self.read(), max(1, BLOCK // (n_languages * n_sentences))
        rows = slice(None) if self.chosen is None else self.chosen
        for start in range(0, width, step):
            yield self.piece(values, rows, slice(start, start + step))

    def piece(self, values: Any, rows: slice | np.ndarray, neurons: slice) -> np.ndarray:
        """Some sentences and neurons in float64, on the layer's scale."""
        piece = np.asarray(values[:, rows, neurons], dtype=np.float64)
        # Not in place: the piece may still be the caller's own array.
        piece = piece if self.centre is None else piece - self.centre[:, :, neurons]
        return piece if self.spread is None else piece / self.spread[:, :, neurons]

    def scaled(self, scale: str) -> _Layer:
        plain = replace(self, centre=None, spread=None)
        if scale == "raw":
            return plain
        centred = plain.centred(per_language=False)
        if scale == "centred":
            return centred
        squares = np.zeros((1, 1, self.shape[2]))
        with np.errstate(invalid="ignore", over="ignore"):  # as in gram
            for _, neurons, tile in centred.tiles():
                squares[:, :, neurons] += np.einsum("lmn,lmn->n", tile, tile)
        spread = np.sqrt(squares / (self.shape[0] * self.shape[1]))
        varies = spread > ROUNDING * np.abs(centred.centre)
        return replace(centred, spread=np.where(varies, spread, np.inf))

    def centred(self, per_language: bool) -> _Layer:
        """Without the mean over all languages and sentences, or over those of each language."""
        n_languages, n_sentences, width = self.shape
        total = np.zeros((n_languages, 1, width))
        for _, neurons, tile in self.tiles():
            total[:, :, neurons] += tile.sum(axis=1, keepdims=True)
        mean = total / n_sentences
        mean = mean if per_language else mean.mean(axis=0, keepdims=True)
        if self.spread is not None:
            mean = mean * np.where(np.isfinite(self.spread), self.spread, 0)
        return replace(self, centre=mean if self.centre is None else self.centre + mean)

    def of_languages(self, chosen: np.ndarray) -> _Layer:
        """Some of the languages, on the scale of all."""
        read, centre = self.read, self.centre
        if centre is not None and len(centre) > 1:
            centre = centre[chosen]
        shape = (len(chosen), *self.shape[1:])
        return replace(self, read=lambda: read()[chosen], shape=shape, centre=centre)

    def floor(self) -> np.ndarray | float:
        """Squared norm, shape [language or 1, 1], at which a vector is nothing but rounding."""
        if self.centre is None or not np.isfinite(self.centre).all():
            return 0.0
        centre = self.centre if self.spread is None else self.centre / self.spread
        return ROUNDING**2 * np.square(centre).sum(axis=-1)

    @cached_property
    def squared_norms(self) -> np.ndarray:
        """‖a‖² of this layer's part of each vector, shape [language, sentence]."""
        squared = np.zeros(self.shape[:2])
        with np.errstate(invalid="ignore", over="ignore"):  # not finite: Vectors.weights names the sentence
            for sentences, _, tile in self.tiles():
                squared[:, sentences] += np.einsum("lmn,lmn->lm", tile, tile)
        return squared

    def totals(self, weights: np.ndarray) -> np.ndarray:
        """S[l] = Σ_m u[l, m], u = weight · a, shape [language, neuron]."""
        totals = np.zeros((self.shape[0], self.shape[2]))
        for sentences, neurons, tile in self.tiles():
            totals[:, neurons] += (weights[:, None, sentences] @ tile)[:, 0]
        return totals

    def pair_sums(self, weights: np.ndarray, compared: Compared) -> np.ndarray:
        """This layer's part of :meth:`Vectors.pair_sums`."""
        sums, totals = np.zeros((3, self.shape[1])), self.totals(weights)
        # What each sentence is multiplied with: its own language's sum, and those that it is compared with.
        with_sums = np.stack([totals * compared.languages[:, None], compared.partners(totals)], axis=2)
        for sentences, neurons, tile in self.tiles():
            units = tile * weights[:, sentences, None]
            sums[:2, sentences] += (units @ with_sums[:, neurons]).sum(axis=0).T
            sums[2, sentences] += compared.products(units).sum(axis=1)
        return sums


@dataclass(frozen=True, eq=False)
class Compared:
    """Which languages are compared with which, by groups of languages that are compared alike.

    All pairs are one group, pairs of one script as many groups as there are scripts: sums over pairs are
    then sums over groups, and linear in the number of languages.

    Attributes
    ----------
    members : float array of 0 and 1, shape [group, language]
    groups : float array of 0 and 1, shape [group, group]
        Whether the languages of two groups are compared.
    itself : float
        1 where ``groups`` compares a language with itself too, which is then taken off; else 0.
    languages : float array of 0 and 1, shape [language]
        Whether a language is in any pair.
    n_pairs : float
        Ordered pairs.
    """

    members: np.ndarray
    groups: np.ndarray
    itself: float
    languages: np.ndarray
    n_pairs: float

    @classmethod
    def of(cls, chosen: np.ndarray) -> Compared:
        """From a symmetric array of 0 and 1 without a diagonal, shape [language, language]."""
        found = []
        for itself in (1.0, 0.0):  # languages of one script are alike, if each is also its own partner
            rows, first, group = np.unique(
                chosen + itself * np.eye(len(chosen)), axis=0, return_index=True, return_inverse=True
            )
            members = (group.ravel() == np.arange(len(rows))[:, None]).astype(float)
            found.append((members, rows[:, first], itself))
        fewest = min(found, key=lambda one: len(one[0]))
        return cls(*fewest, chosen.any(axis=0).astype(float), chosen.sum())

    def products(self, units: np.ndarray) -> np.ndarray:
        """Σ over pairs of u[k]·u[l], neuron by neuron: [language, sentence, neuron] → [sentence, neuron]."""
        sums = np.tensordot(self.members, units, axes=1)
        products = (np.tensordot(self.groups, sums, axes=1) * sums).sum(axis=0)
        return products - np.square(units).sum(axis=0) if self.itself else products

    def partners(self, totals: np.ndarray) -> np.ndarray:
        """Σ over the languages that each is compared with: of [language, neuron] the same shape."""
        return self.members.T @ (self.groups @ (self.members @ totals)) - self.itself * totals


@dataclass(frozen=True, eq=False)
class Vectors:
    """Vectors of translations, [language, sentence, neuron], of one layer or of several concatenated.

    As directions: u[l, m] = a[l, m] / ‖a[l, m]‖. Made by :meth:`of` or by ``Activations.by_layer``.

    Attributes
    ----------
    languages : tuple of str
        Codes, or positions as text.
    layers : tuple
        What is concatenated.
    layer_index : int
        Index of the layer in its model; -1 for all of them together.
    scale : {"raw", "centred", "standardised"}
        What the values are on, see :meth:`of`.
    """

    languages: tuple[str, ...]
    layers: tuple[_Layer, ...]
    layer_index: int = 0
    scale: str = "raw"

    @classmethod
    def of(cls, vectors: Any, languages: Sequence[str] | None = None, scale: str = SCALES[0]) -> Vectors:
        """Wrap an array [language, sentence, neuron] without copying it; Vectors are put on the scale.

        Parameters
        ----------
        vectors : array, also memory-mapped or anything with ``shape`` that can be sliced, or Vectors
        languages : sequence of str, optional
            Names of the languages; their positions by default.
        scale : {"standardised", "centred", "raw"}
            Each neuron minus its mean over all languages and sentences, divided by its standard deviation
            over them; minus the mean only; or as it is. A neuron that never varies is 0 on the first two.

        Raises
        ------
        ValueError
            For another number of axes, fewer than 2 languages or sentences, or an unknown scale.
        """
        if not isinstance(vectors, Vectors):
            values = vectors if hasattr(vectors, "shape") else np.asarray(vectors)
            if len(values.shape) != 3:
                raise ValueError(
                    f"vectors have shape {tuple(values.shape)}; expected [language, sentence, neuron]"
                )
            names = tuple(str(i) for i in range(values.shape[0])) if languages is None else tuple(languages)
            if len(names) != values.shape[0]:
                raise ValueError(f"{len(names)} language names for vectors of {values.shape[0]} languages")
            vectors = cls.concatenated([lambda: values], [""], [values.shape], names)
        return vectors.scaled(scale)

    @classmethod
    def concatenated(
        cls,
        reads: Iterable[Callable[[], Any]],
        labels: Iterable[str],
        shapes: Iterable[tuple[int, int, int]],
        languages: Sequence[str],
        chosen: np.ndarray | None = None,
        layer_index: int = -1,
    ) -> Vectors:
        """Vectors of the layers that some functions read, of all sentences or of chosen ones.

        ``shapes`` are those of the layers, [language, sentence, neuron], with the chosen sentences only.
        """
        parts = zip(reads, labels, shapes, strict=True)
        layers = tuple(_Layer(read, label, tuple(shape), chosen) for read, label, shape in parts)
        check_counts(*layers[0].shape[:2])
        return cls(tuple(languages), layers, layer_index)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Languages, sentences, and neurons of all layers."""
        n_languages, n_sentences, _ = self.layers[0].shape
        return n_languages, n_sentences, sum(layer.shape[2] for layer in self.layers)

    @property
    def n_sentences(self) -> int:
        return self.layers[0].shape[1]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        everything = slice(None) if self.layers[0].chosen is None else self.layers[0].chosen
        parts = [layer.piece(layer.read(), everything, slice(None)) for layer in self.layers]
        return np.concatenate(parts, axis=2).astype(dtype or np.float64, copy=False)

    def __getitem__(self, key: Any) -> np.ndarray:
        return np.asarray(self)[key]

    def scaled(self, scale: str) -> Vectors:
        """The same vectors on a scale, see :meth:`of`; made once, so that measures share its sums."""
        if scale not in SCALES:
            raise ValueError(f"no scale {scale!r}; there are {', '.join(SCALES)}")
        if scale == self.scale:
            return self
        if scale not in self._on_scale:
            self._on_scale[scale] = self._rescaled(scale)
        return self._on_scale[scale]

    @cached_property
    def _on_scale(self) -> dict[str, Vectors]:
        return {}

    def _rescaled(self, scale: str) -> Vectors:
        return replace(self, layers=tuple(layer.scaled(scale) for layer in self.layers), scale=scale)

    @cached_property
    def halves(self) -> tuple[Vectors, Vectors]:
        """Two halves of the meanings, each with means and deviations of its own."""
        return tuple(self.select(half)._rescaled(self.scale) for half in halves_of(self.n_sentences))

    @cached_property
    def spread(self) -> np.ndarray:
        """Standard deviation of each neuron over languages and sentences; 0 where only rounding varies."""
        spread = np.concatenate([layer.spread.ravel() for layer in self.scaled("standardised").layers])
        return np.where(np.isfinite(spread), spread, 0)

    def centred_by_language(self) -> Vectors:
        """The same vectors without each language's own mean."""
        return replace(self, layers=tuple(layer.centred(per_language=True) for layer in self.layers))

    def select(self, sentences: np.ndarray) -> Vectors:
        """Some of the sentences, by index; the scale stays that of all."""
        sentences = np.asarray(sentences)
        return replace(
            self,
            layers=tuple(
                replace(
                    layer,
                    chosen=sentences if layer.chosen is None else layer.chosen[sentences],
                    shape=(layer.shape[0], len(sentences), layer.shape[2]),
                )
                for layer in self.layers
            ),
        )

    @cached_property
    def squared_norms(self) -> np.ndarray:
        """‖a‖², shape [language, sentence]; exactly 0 where only rounding is left after centring."""
        squared = sum(layer.squared_norms for layer in self.layers)
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
        if len(wrong) and self.scale != "raw" and not np.isfinite(self.squared_norms).all():
            return self._rescaled("raw").weights  # one number that is not finite spoils the mean of all
        if len(wrong):
            language, sentence = wrong[0]
            first = self.layers[0]
            named = sentence if first.chosen is None else first.chosen[sentence]
            where = f"layer {first.label}: " if len(self.layers) == 1 and first.label else ""
            fault = "has norm 0" if self.squared_norms[language, sentence] == 0 else "is not finite"
            after = "" if first.centre is None else " after the mean is subtracted"
            raise ValueError(
                f"{where}vector [language {self.languages[language]}, sentence {named}] {fault}{after}, "
                "so it has no direction to compare; leave that sentence out"
            )
        return 1 / np.sqrt(self.squared_norms)

    def pair_sums(self, compared: Compared) -> np.ndarray:
        """What the mean cosines of pairs close from, shape [3, sentence].

        With S[l] = Σ_m u[l, m], for each sentence m: Σ_l S[l]·u[l, m] over the languages that are compared,
        Σ_kl S[k]·u[l, m] over their pairs, and Σ_kl u[k, m]·u[l, m]. Linear in languages and sentences; kept.
        """
        key = (compared.members.tobytes(), compared.groups.tobytes(), compared.itself)
        if key not in self._pair_sums:
            self._pair_sums[key] = sum(layer.pair_sums(self.weights, compared) for layer in self.layers)
        return self._pair_sums[key]

    @cached_property
    def _pair_sums(self) -> dict[tuple, np.ndarray]:
        return {}

    def cosine_sums(self) -> tuple[np.ndarray, np.ndarray]:
        """Sums of cosines between each two languages, of translations and of all sentences.

        Σ_m u[k, m]·u[l, m] and Σ_mn u[k, m]·u[l, n], float64, each of shape [language, language].
        """
        n_languages = len(self.languages)
        same, every = np.zeros((2, n_languages, n_languages))
        for layer in self.layers:
            totals = layer.totals(self.weights)
            every += totals @ totals.T
            for sentences, _, tile in layer.tiles():
                rows = (tile * self.weights[:, sentences, None]).reshape(n_languages, -1)
                same += rows @ rows.T
        return same, every

    def tiles(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Pieces of the values: (neurons of all layers, float64 array [language, sentences, neurons])."""
        start = 0
        for layer in self.layers:
            for _, neurons, tile in layer.tiles():
                yield slice(start + neurons.start, start + neurons.start + tile.shape[2]), tile
            start += layer.shape[2]

    def select_languages(self, chosen: np.ndarray) -> Vectors:
        """Some of the languages, by position; the scale stays that of all."""
        chosen = np.asarray(chosen)
        return replace(
            self,
            languages=tuple(self.languages[at] for at in chosen),
            layers=tuple(layer.of_languages(chosen) for layer in self.layers),
        )

    def by_neurons(self) -> Iterator[np.ndarray]:
        """All values, some neurons at a time: float64 arrays [language, sentence, some neurons]."""
        for layer in self.layers:
            yield from layer.by_neurons()

    def units(self) -> Iterable[np.ndarray]:
        """Unit vectors, some neurons at a time: float32 arrays [language, sentence, some neurons].

        A vector of norm 0 gives zeros: its cosine with any other is taken as 0. They are made anew at each
        call, unless they are few enough to be kept.
        """
        return self._kept_units if np.prod(self.shape) <= KEPT else self._units()

    @cached_property
    def _kept_units(self) -> list[np.ndarray]:
        return list(self._units())

    def _units(self) -> Iterator[np.ndarray]:
        with np.errstate(divide="ignore"):
            weights = np.where(self.squared_norms > 0, 1 / np.sqrt(self.squared_norms), 0)[:, :, None]
        for layer in self.layers:
            for block in layer.by_neurons():
                yield (block * weights).astype(np.float32)


def halves_of(n_sentences: int) -> list[np.ndarray]:
    """Positions of two halves of so many sentences, each in ascending order.

    They are drawn at random (seed 0, the same ones at every call), since the order of a text may have a
    pattern: where two kinds of sentences alternate, every other one is all of one kind.
    """
    drawn = np.random.default_rng(0).permutation(n_sentences)
    return [np.sort(half) for half in np.array_split(drawn, 2)]


def check_counts(n_languages: int, n_sentences: int) -> None:
    """ValueError unless there are pairs of every kind to compare."""
    if n_languages < 2 or n_sentences < 2:
        raise ValueError(
            f"{n_languages} languages × {n_sentences} sentences: comparing needs at least 2 of each"
        )


def pivot_of(languages: Sequence[str]) -> int:
    """Position of the language that many languages are compared with: English, else the first."""
    return list(languages).index(PIVOT) if PIVOT in languages else 0


def families_of(languages: Sequence[str]) -> np.ndarray:
    """Family of each language, ``"unknown"`` where none is known."""
    return np.array([get_language(code).family if is_language(code) else "unknown" for code in languages])


def sample_of(languages: Sequence[str], n_languages: int = ALL_PAIRS) -> np.ndarray:
    """Positions of some languages, in their order: the pivot, and others evenly spaced over the families."""
    if len(languages) <= n_languages:
        return np.arange(len(languages))
    pivot = pivot_of(languages)
    others = [at for at in np.argsort(families_of(languages), kind="stable") if at != pivot]
    spaced = np.linspace(0, len(others) - 1, n_languages - 1).round().astype(int)
    return np.sort([pivot, *np.array(others)[spaced]])


def between_languages(languages: Sequence[str], itself: bool = False, **values: np.ndarray) -> pd.DataFrame:
    """Values of every two languages as a table; of very many languages, of each with a few targets.

    Parameters
    ----------
    languages : sequence of str
    itself : bool
        Whether a language has a row with itself, where every two have one.
    **values : float arrays, shape [language, language]
        Columns by name.

    Returns
    -------
    DataFrame
        ``source``, ``target`` and the columns, for each ordered pair of up to :data:`ALL_PAIRS` (30)
        languages. Of more, each has three targets: the pivot (English, else the first language), the mean
        over the other languages of its family (``"family"``; languages whose family is
        unknown or has no other have none), and over all other languages (``"others"``). A mean is over the
        pairs whose value is no NaN.
    """
    n_languages, names = len(languages), np.asarray(languages)
    if n_languages <= ALL_PAIRS:
        source, target = np.nonzero(
            np.ones((n_languages, n_languages)) - (0 if itself else np.eye(n_languages))
        )
        columns = {name: square[source, target] for name, square in values.items()}
        return pd.DataFrame({"source": names[source], "target": names[target]} | columns)
    families, pivot = families_of(languages), pivot_of(languages)
    others = ~np.eye(n_languages, dtype=bool)
    targets = {
        names[pivot]: others & (np.arange(n_languages) == pivot),
        FAMILY: others & (families[:, None] == families) & (families != "unknown"),
        OTHERS: others,
    }
    parts = []
    for target, partners in targets.items():
        some = partners.any(axis=1)
        part = pd.DataFrame({"source": names[some], "target": target})
        for name, square in values.items():
            counted = partners & ~np.isnan(square)
            total, count = np.where(counted, square, 0).sum(axis=1), counted.sum(axis=1)
            mean = np.divide(total, count, out=np.full(n_languages, np.nan), where=count > 0)
            part[name] = mean[some]
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
