"""Sentences as token ids, and batches of them that fit the memory."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

from lingua_utils.models import devices
from lingua_utils.models.loading import LoadedModel

logger = logging.getLogger(__name__)

CHUNK = 4096
"""Texts tokenized at a time: the tokenizer's own record of a text is many times its token ids."""

LONGEST = 2048
"""Tokens of a sentence that are read by a model whose positions have no end, where no limit is asked for."""


@dataclass(frozen=True, eq=False)
class Tokens:
    """Sentences as token ids, end to end in one array.

    Attributes
    ----------
    ids : int64 array, shape [token]
    content : bool array, shape [token]
        False for what the tokenizer put around a sentence: beginning, end and language marks.
    lengths, starts : int64 arrays, shape [sentence]
        Number of tokens, and index of the first one.
    truncated : bool array, shape [sentence]
    """

    ids: np.ndarray
    content: np.ndarray
    lengths: np.ndarray
    starts: np.ndarray
    truncated: np.ndarray

    @property
    def n_content(self) -> np.ndarray:
        """Content tokens of every sentence, shape [sentence]."""
        return np.add.reduceat(self.content, self.starts, dtype=np.int64)

    def padded(self, rows: np.ndarray, pad_id: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Some sentences as a rectangle, padded on the right.

        Returns
        -------
        ids, real, content : arrays, shape [row, token]
            Token ids; True where a token is no padding; True where it is neither padding nor special.
        """
        lengths = self.lengths[rows][:, None]
        position = np.arange(lengths.max())
        real = position < lengths
        index = np.where(real, self.starts[rows][:, None] + position, 0)
        return np.where(real, self.ids[index], pad_id), real, self.content[index] & real


def tokenize(
    loaded: LoadedModel,
    texts: Sequence[str],
    names: Callable[[int], str] = "sentence {}".format,
    max_tokens: int | None = None,
    too_long: str = "truncate",
) -> Tokens:
    """Tokenize sentences as the model was trained to read them, special tokens included.

    Parameters
    ----------
    loaded : LoadedModel
    texts : sequence of str
    names : callable
        Name of a sentence by its index, for errors.
    max_tokens : int, optional
        Longest sentence, special tokens included; never more than the model's positions. Default: as many
        as these, and :data:`LONGEST` where they have no end.
    too_long : {"truncate", "refuse", "keep"}
        What becomes of a longer one.

    Raises
    ------
    ValueError
        For a sentence that is too long and refused, or that has no content token, and for a token id that
        the model has no embedding for; the message names the sentence and the numbers.
    """
    limit = math.inf if too_long == "keep" else min(max_tokens or math.inf, loaded.max_length or math.inf)
    if limit == math.inf and too_long != "keep":
        limit = LONGEST
    n_special = loaded.tokenizer.num_special_tokens_to_add()
    if limit <= n_special:
        raise ValueError(f"max_tokens is {limit}, which leaves no room beside {n_special} special tokens")
    chunks = (texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK))
    encoded = [_encode(loaded.tokenizer, list(chunk), limit) for chunk in chunks]
    ids, content, lengths, whole = (np.concatenate(arrays) for arrays in zip(*encoded, strict=True))
    starts = np.cumsum(lengths) - lengths
    truncated = whole > limit
    if truncated.any() and too_long == "refuse":
        first = int(np.argmax(truncated))
        raise ValueError(
            f"{names(first)} has {whole[first]} tokens, the limit is {limit}; shorten it, or truncate with "
            f"too_long='truncate' ({truncated.sum()} of {len(texts)} sentences are too long)"
        )

    sentence = np.repeat(np.arange(len(texts)), lengths)
    n_content = np.bincount(sentence[content], minlength=len(texts))  # also where a sentence has no token
    if not n_content.all():
        empty = int(np.argmin(n_content))
        raise ValueError(f"{names(empty)} has no content token: {texts[empty]!r}; leave that sentence out")
    unknown = ids >= loaded.n_embeddings
    if unknown.any():
        at = int(np.argmax(unknown))
        raise ValueError(
            f"{names(int(sentence[at]))} has token id {ids[at]}, but {loaded.model_id} has only "
            f"{loaded.n_embeddings} embeddings: tokenizer and model do not belong together"
        )
    return Tokens(ids, content, lengths, starts, truncated)


def _encode(
    tokenizer: PreTrainedTokenizerBase, texts: list[str], limit: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Token ids and whether they are content, end to end; lengths as cut to the limit, and before."""
    ids, special = _with_special_mask(tokenizer, texts)
    whole = np.array([len(sentence) for sentence in ids])
    long = np.flatnonzero(whole > limit)
    if len(long):
        cut = _with_special_mask(tokenizer, [texts[i] for i in long], truncation=True, max_length=limit)
        for i, cut_ids, cut_special in zip(long, *cut, strict=True):
            ids[i], special[i] = cut_ids, cut_special
    flat = np.fromiter(chain.from_iterable(ids), np.int64)
    content = np.fromiter(chain.from_iterable(special), np.int64) == 0
    return flat, content, np.array([len(sentence) for sentence in ids]), whole


def _with_special_mask(
    tokenizer: PreTrainedTokenizerBase, texts: list[str], **options
) -> tuple[list[list[int]], list[list[int]]]:
    """Token ids of every text, and 1 for each that the tokenizer added."""
    batch = tokenizer(texts, return_special_tokens_mask=True, verbose=False, **options)
    ids, special = batch["input_ids"], batch["special_tokens_mask"]
    if not tokenizer.is_fast:
        # Tokenizers in Python may leave the mask empty: what they add stands at the edges.
        added = {getattr(tokenizer, f"{mark}_token_id") for mark in ("bos", "eos", "cls", "sep")}
        special = [_edges(*pair, added) for pair in zip(ids, special, strict=True)]
    return ids, special


def _edges(ids: list[int], mask: list[int], added: set[int | None]) -> list[int]:
    """The mask, with 1 for every token of ``added`` that only such tokens separate from an end."""
    mask = list(mask)
    for order in (range(len(ids)), range(len(ids) - 1, -1, -1)):
        for i in order:
            if not mask[i] and ids[i] not in added:
                break
            mask[i] = 1
    return mask


def check_memory(loaded: LoadedModel, lengths: np.ndarray, names: Callable[[int], str]) -> None:
    """Raise if the longest sentence needs more memory than is free, before anything is computed.

    Parameters
    ----------
    loaded : LoadedModel
    lengths : int array, shape [sentence]
        In tokens.
    names : callable
        Name of a sentence by its index.

    Raises
    ------
    MemoryError
        With the sentence, its tokens, what it needs and what is free, and a ``max_tokens`` that fits.
    """
    longest = int(np.argmax(lengths))
    free, fitting = devices.free_for_batches(loaded.device), int(lengths[longest])
    if (needed := memory_of_sentence(loaded, fitting)) <= free:
        return
    while fitting > 1 and memory_of_sentence(loaded, fitting) > free:
        fitting //= 2
    raise MemoryError(
        f"{names(longest)} has {lengths[longest]:,} tokens, which need at least {needed / 1e9:.1f} GB, and "
        f"{free / 1e9:.1f} GB are free; set max_tokens to {fitting}, or split it"
    )


def memory_of_sentence(loaded: LoadedModel, n_tokens: int) -> int:
    """Bytes that one sentence needs at least, in one layer: its attention weights, and its neurons.

    The weights of all pairs of tokens are there at once, before and after the softmax, where attention is
    written out, and where a bias for each pair is added to it (ALiBi, T5). Fused attention never holds them.
    """
    config = loaded.base.config
    fused = getattr(config, "_attn_implementation", "eager") != "eager" and loaded.max_length is not None
    pairs = 0 if fused else 2 * config.num_attention_heads * n_tokens
    # Of a gated MLP: gate, up, and their product.
    neurons = 3 * max(site.width for site in loaded.sites)
    return n_tokens * (pairs + neurons) * loaded.dtype.itemsize


def in_batches(
    forward: Callable[[np.ndarray], None], rows: np.ndarray, lengths: np.ndarray, batch_tokens: int
) -> int:
    """Call ``forward(rows)`` on batches of sentences of like length, the longest first.

    A batch holds at most ``batch_tokens`` tokens, padding included, and at least one sentence. One that does
    not fit the GPU's memory is halved and tried again; those after it are no larger.

    Parameters
    ----------
    forward : callable
        Takes an int array of rows.
    rows : int array
        The sentences to go through.
    lengths : int array
        Number of tokens of every sentence, indexed by row.
    batch_tokens : int

    Returns
    -------
    int
        The budget that fitted: ``batch_tokens``, or what halving made of it.
    """
    rows = rows[np.argsort(-lengths[rows], kind="stable")]
    start = 0
    while start < len(rows):
        longest = int(lengths[rows[start]])
        batch = rows[start : start + max(1, batch_tokens // longest)]
        try:
            forward(batch)
            start += len(batch)
        except torch.OutOfMemoryError:
            if len(batch) == 1:
                raise
            batch_tokens = longest * (len(batch) // 2)
            logger.warning(
                "out of memory with %d sentences of %d tokens: going on with %d",
                len(batch), longest, len(batch) // 2,
            )  # fmt: skip
    return batch_tokens


def model_inputs(
    loaded: LoadedModel, tokens: Tokens, rows: np.ndarray
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Some sentences as the headless model takes them, padded on the right, without a cache.

    Returns
    -------
    inputs : dict
        Arguments of ``loaded.base``, on its device.
    content : dict of bool tensors, shape [row, token]
        For each stack, True where the token it reads is neither padding nor special; on the CPU.
    """
    ids, real, content = map(torch.from_numpy, tokens.padded(rows, loaded.pad_id))
    inputs, stack = {"input_ids": ids, "attention_mask": real.long()}, loaded.sites[0].stack
    contents = {stack: content}
    if loaded.is_encoder_decoder:
        # The decoder reads what it would be taught to write: its own start token, then the sentence, whose
        # end mark it does not read.
        taught = loaded.model.prepare_decoder_input_ids_from_labels(labels=ids.masked_fill(~real, -100))
        length = ids.shape[1] + int(content[:, -1].any())
        inputs["decoder_input_ids"] = torch.cat([taught[:, :1], ids], dim=1)[:, :length]
        inputs["decoder_attention_mask"] = nn.functional.pad(real.long(), (1, 0), value=1)[:, :length]
        contents["decoder"] = nn.functional.pad(content, (1, 0))[:, :length]
    inputs = {name: tensor.to(loaded.device) for name, tensor in inputs.items()}
    if "decoder" in contents:
        inputs["use_cache"] = False
    return inputs, contents
