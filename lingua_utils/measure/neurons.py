"""Single neurons: how much each answers to language and to meaning, and what it does token by token.

Activations of tokens are never kept for a whole corpus. Those of a few neurons on a few sentences are read by
a forward of their own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from lingua_utils.measure.activations import default_batch_tokens
from lingua_utils.models.batches import in_batches, model_inputs, tokenize
from lingua_utils.models.loading import LoadedModel

_VIRAMA = 9  # combining class of the signs that join two consonants into one letter
_JOINERS = "\u200c\u200d"


def alikeness(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """LRDS and SADS of each neuron alone, in units of its own spread.

    Mean product of a neuron's standardised activations over pairs of sentences with the same language, or
    with the same meaning, less that over pairs with neither in common. The sums close as those of
    :func:`lingua_utils.measure.similarity.pair_means` do.

    Parameters
    ----------
    values : array, shape [language, sentence, neuron]
        Of translations: ``values[a, i]`` and ``values[b, i]`` mean the same.

    Returns
    -------
    lrds, sads : arrays, float64, shape [neuron]
        0 for a neuron that never changes.

    Raises
    ------
    ValueError
        With fewer than 2 languages or sentences.

    Examples
    --------
    >>> by_meaning = np.array([[[1.0], [-1.0]], [[1.0], [-1.0]]])  # 2 languages, 2 sentences, 1 neuron
    >>> [score.round(2).tolist() for score in alikeness(by_meaning)]
    [[0.0], [2.0]]
    """
    n_languages, n_sentences, _ = values.shape
    if min(n_languages, n_sentences) < 2:
        raise ValueError(
            f"{n_languages} languages × {n_sentences} sentences: alikeness needs at least 2 of each"
        )
    values = np.asarray(values, dtype=np.float64)
    apart, spread = values - values.mean(axis=(0, 1)), values.std(axis=(0, 1))
    units = np.divide(apart, spread, out=np.zeros_like(apart), where=spread > 0)
    alone = np.square(units).sum(axis=(0, 1))
    by_language = np.square(units.sum(axis=1)).sum(axis=0) - alone
    by_meaning = np.square(units.sum(axis=0)).sum(axis=0) - alone
    # Standardised values sum to 0, so that all products together, each with itself among them, do too.
    neither = -(by_language + by_meaning + alone)
    neither /= n_languages * (n_languages - 1) * n_sentences * (n_sentences - 1)
    lrds = by_language / (n_languages * n_sentences * (n_sentences - 1)) - neither
    return lrds, by_meaning / (n_languages * n_sentences * (n_languages - 1)) - neither


def token_activations(
    loaded: LoadedModel, texts: Sequence[str], neurons: Sequence[tuple[int, int]]
) -> list[np.ndarray]:
    """What a few neurons do on every content token of some texts.

    Parameters
    ----------
    loaded : LoadedModel
    texts : sequence of str
        Cut where they are longer than the model reads.
    neurons : sequence of (int, int)
        Index of the layer in ``loaded.sites``, and of the neuron.

    Returns
    -------
    list of float32 arrays, shape [token, neuron]
        One for each text; its mean over tokens is what :func:`lingua_utils.measure.activations.capture` has.

    Raises
    ------
    ValueError
        For a neuron that the model does not have.
    """
    layer, neuron = np.array(neurons, dtype=int).reshape(-1, 2).T
    widths = np.array([site.width for site in loaded.sites])
    known = (layer >= 0) & (layer < len(widths)) & (neuron >= 0)
    known[known] = neuron[known] < widths[layer[known]]
    if not known.all():
        at = int(np.argmin(known))
        raise ValueError(
            f"no neuron {neuron[at]} in layer {layer[at]}: {loaded.model_id} has {len(widths)} layers of up "
            f"to {widths.max()}"
        )
    tokens = tokenize(loaded, texts)
    found: list[np.ndarray] = [np.empty(0)] * len(texts)

    @torch.inference_mode()
    def forward(rows: np.ndarray) -> None:
        inputs, content = model_inputs(loaded, tokens, rows)
        n_content = tokens.n_content[rows]
        values = np.empty((n_content.sum(), len(layer)), dtype=np.float32)

        def read(index: int, module: torch.nn.Module, arguments: tuple[torch.Tensor]) -> None:
            passing, of_layer = arguments[0], layer == index
            # OPT flattens its sentences before the MLP.
            passing = passing.unflatten(0, (len(rows), -1)) if passing.dim() == 2 else passing
            chosen = passing[..., torch.from_numpy(neuron[of_layer]).to(passing.device)].float().cpu()
            values[:, of_layer] = chosen[content[loaded.sites[index].stack]].numpy()

        with ExitStack() as hooks:
            for index in np.unique(layer):
                module = loaded.module(loaded.sites[index])
                hooks.enter_context(module.register_forward_pre_hook(partial(read, index)))
            loaded.base(**inputs)
        for row, part in zip(rows, np.split(values, np.cumsum(n_content)[:-1]), strict=True):
            found[row] = part

    in_batches(forward, np.arange(len(texts)), tokens.lengths, default_batch_tokens(loaded))
    return found


@dataclass(frozen=True, eq=False)
class Reading:
    """A text in the pieces that a model reads, and what a few neurons do on each.

    Attributes
    ----------
    pieces : tuple of str
        Together the text, as far as it was read.
    values : float32 array, shape [piece, neuron]
        Of several tokens in one piece the value that is furthest from 0.
    """

    pieces: tuple[str, ...]
    values: np.ndarray


def readings(loaded: LoadedModel, texts: Sequence[str], neurons: Sequence[tuple[int, int]]) -> list[Reading]:
    """:func:`token_activations`, beside the pieces of text that the tokens stand for.

    A piece is a token, or several where a letter is cut into tokens, or would be cut from its marks.
    """
    activations = token_activations(loaded, texts, neurons)
    return [_reading(loaded, text, values) for text, values in zip(texts, activations, strict=True)]


def _reading(loaded: LoadedModel, text: str, values: np.ndarray) -> Reading:
    options = {"add_special_tokens": False, "verbose": False}
    if not loaded.tokenizer.is_fast:
        ids = loaded.tokenizer(text, **options)["input_ids"][: len(values)]
        return Reading(tuple(loaded.tokenizer.decode([token]) for token in ids), values)
    offsets = loaded.tokenizer(text, return_offsets_mapping=True, **options)["offset_mapping"]
    first, starts, reached = [0], [0], offsets[0][1]
    for token, (start, end) in enumerate(offsets[: len(values)]):
        if token and start >= reached and _may_be_cut(text, start):
            first.append(token)
            starts.append(start)
        reached = max(reached, end)
    ends = [*starts[1:], reached if len(offsets) > len(values) else len(text)]
    pieces = tuple(text[start:end] for start, end in zip(starts, ends, strict=True))
    highest, lowest = (extreme.reduceat(values, first) for extreme in (np.maximum, np.minimum))
    return Reading(pieces, np.where(highest >= -lowest, highest, lowest))


def _may_be_cut(text: str, at: int) -> bool:
    """Whether a text can be cut there, and no letter from its marks, or from one that it is written with."""
    if at >= len(text):
        return False
    before, after = text[at - 1], text[at]
    joined = before in _JOINERS or after in _JOINERS or unicodedata.combining(before) == _VIRAMA
    return not joined and not unicodedata.category(after).startswith("M")
