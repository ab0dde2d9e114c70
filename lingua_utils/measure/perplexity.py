"""How well a model predicts text: negative log-likelihood, perplexity and bits per byte.

Perplexity is per token, so it compares one model on one language only. Bits per byte divide by what every
tokenizer and script shares, the UTF-8 bytes of the text that was scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from lingua_utils.measure.activations import default_batch_tokens
from lingua_utils.measure.intervals import margin
from lingua_utils.models.batches import in_batches, tokenize
from lingua_utils.models.loading import LoadedModel

if TYPE_CHECKING:
    from lingua_utils.text.corpus import ParallelCorpus

LOGITS = 2**24  # logits in memory at a time: 64 MiB in float32
WINDOW = 2048  # longest sequence by default, where positions reach further or have no end
UNSCORED = -100


@dataclass(frozen=True, eq=False)
class Likelihood:
    """What a model makes of some texts.

    Attributes
    ----------
    nll : float64 array, shape [text]
        Negative log-likelihood of each text, in nats.
    n_tokens, n_bytes : int arrays, shape [text]
        Tokens scored, and the UTF-8 bytes they stand for.
    """

    nll: np.ndarray
    n_tokens: np.ndarray
    n_bytes: np.ndarray

    @property
    def nll_per_token(self) -> float:
        """Nats per token."""
        return float(self.nll.sum() / self.n_tokens.sum())

    @property
    def perplexity(self) -> float:
        """e to the nats per token."""
        return exp(self.nll_per_token)

    @property
    def bits_per_byte(self) -> float:
        return float(self.nll.sum() / log(2) / self.n_bytes.sum())

    def interval(self) -> tuple[float, float]:
        """95 % interval of the bits per byte over texts, taken as a sample."""
        half = margin(influence(self.nll, self.n_bytes))
        return self.bits_per_byte - half, self.bits_per_byte + half


def influence(nll: np.ndarray, n_bytes: np.ndarray) -> np.ndarray:
    """What each text adds to the error of Σ nll / ln 2 / Σ bytes, a ratio of sums, in bits per byte.

    Influences of contrasts are contrasts of influences; the last axis is the texts;
    :func:`~lingua_utils.measure.intervals.margin` makes an interval of them.
    """
    bits = nll / log(2)
    ratio = bits.sum(axis=-1, keepdims=True) / n_bytes.sum(axis=-1, keepdims=True)
    return (bits - ratio * n_bytes) / n_bytes.sum(axis=-1, keepdims=True)


def measured(loaded: LoadedModel) -> str:
    """Name of what :class:`Scorer` measures of this kind of model, as titles and tables have it."""
    if loaded.is_encoder_decoder:
        return "perplexity of second halves"
    return "pseudo-perplexity" if loaded.sites[0].stack == "encoder" else "perplexity"


def score(loaded: LoadedModel, texts: Sequence[str], **options) -> Likelihood:
    """Likelihood of some texts; ``options`` and what is scored are those of :class:`Scorer`.

    Examples
    --------
    >>> score(loaded, ["One sentence.", "Another."]).bits_per_byte  # doctest: +SKIP
    1.234
    """
    return Scorer(loaded, texts, **options).score()


def by_language(loaded: LoadedModel, corpus: ParallelCorpus, **options) -> pd.DataFrame:
    """How well a model predicts each language of a corpus; ``options`` are those of :class:`Scorer`.

    Returns
    -------
    DataFrame
        ``language``, ``n_sentences``, ``n_tokens``, ``n_bytes``, ``nll`` (nats per token), ``perplexity``,
        ``bits_per_byte`` with ``low``, ``high`` (95 % over sentences).
    """
    texts = [text for texts in corpus.texts for text in texts]
    scored = score(loaded, texts, **options)
    rows = []
    for i, language in enumerate(corpus.languages):
        own = slice(i * corpus.n_sentences, (i + 1) * corpus.n_sentences)
        part = Likelihood(scored.nll[own], scored.n_tokens[own], scored.n_bytes[own])
        low, high = part.interval()
        rows.append(
            {"language": language, "n_sentences": corpus.n_sentences, "n_tokens": int(part.n_tokens.sum()),
             "n_bytes": int(part.n_bytes.sum()), "nll": part.nll_per_token, "perplexity": part.perplexity,
             "bits_per_byte": part.bits_per_byte, "low": low, "high": high}
        )  # fmt: skip
    return pd.DataFrame(rows)


@dataclass(frozen=True, eq=False)
class _Sequence:
    """One sequence that the model reads, and what it is to predict."""

    text: int
    ids: np.ndarray
    targets: np.ndarray  # [token]: what the output at each token should be, or UNSCORED
    source: np.ndarray | None = None  # what the encoder of an encoder-decoder reads


class Scorer:
    """Texts made ready once, to be scored as often as needed: intact, then with a region silenced.

    What is scored, which ``n_tokens`` and ``n_bytes`` count, depends on the kind of model.

    - Causal models: every token given those before it. Where the tokenizer puts a token before the text, the
      first token is given that; where it does not (BLOOM), the first token has nothing to be predicted from
      and only serves as context. A text longer than ``window`` tokens is read in windows that begin every
      ``stride`` tokens; each scores what the ones before it did not, given at least window − stride tokens,
      and the last one ends with the text. Nothing is cut and nothing is scored twice.
    - Encoder-decoders: the second half of each text given the first, halves counted in tokens.
    - Masked models: pseudo-log-likelihood (Salazar et al. 2020), every token given all others, from one
      sequence for each token. It is no likelihood, and does not compare with those of the other kinds.

    Parameters
    ----------
    loaded : LoadedModel
    texts : sequence of str
    batch_tokens : int, optional
        Tokens in a batch, padding included; changes the speed and the memory, not the result. Default: 1,024
        on a CPU, 8,192 elsewhere.
    window, stride : int, optional
        Default: the model's positions, at most 2048, and half a window.

    Raises
    ------
    ValueError
        For a text without a token; one longer than the positions of a model that is not causal; a stride
        that skips tokens; a masked model without a mask token.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        texts: Sequence[str],
        *,
        batch_tokens: int | None = None,
        window: int | None = None,
        stride: int | None = None,
    ) -> None:
        self._loaded, self.n_texts = loaded, len(texts)
        self._batch_tokens = batch_tokens or default_batch_tokens(loaded)
        window = min(window or WINDOW, loaded.max_length or window or WINDOW)
        stride = stride or max(1, window // 2)
        if not 1 <= stride < window:
            raise ValueError(
                f"stride {stride} with a window of {window} tokens: it must be 1 to {window - 1}"
            )
        kind = {site.stack for site in loaded.sites}
        if kind == {"encoder"} and loaded.tokenizer.mask_token_id is None:
            raise ValueError(f"{loaded.model_id} is a masked model, but its tokenizer has no mask token")

        self._sequences: list[_Sequence] = []
        skipped = np.zeros(len(texts), dtype=np.int64)  # content tokens at the front that are not scored
        tokens = tokenize(loaded, texts, "text {}".format, too_long="keep")
        for i, (start, length) in enumerate(zip(tokens.starts, tokens.lengths, strict=True)):
            ids = tokens.ids[start : start + length]
            content = np.flatnonzero(tokens.content[start : start + length])
            if kind == {"decoder"}:
                skipped[i] = content[0] == 0
                self._sequences += _windows(i, ids[: content[-1] + 1], max(content[0], 1), window, stride)
                continue
            if loaded.max_length is not None and len(ids) > loaded.max_length:
                raise ValueError(
                    f"text {i} has {len(ids)} tokens, {loaded.model_id} reads {loaded.max_length}; split it"
                )
            if kind == {"encoder"}:
                self._sequences += _masked(i, ids, content, loaded.tokenizer.mask_token_id)
            else:
                skipped[i] = len(content) // 2
                self._sequences.append(_halves(i, ids, content, loaded))
        self._lengths = np.array([len(sequence.ids) for sequence in self._sequences])
        if loaded.is_encoder_decoder:
            self._lengths += [len(sequence.source) for sequence in self._sequences]
        self.n_tokens = np.zeros(len(texts), dtype=np.int64)
        for sequence in self._sequences:
            self.n_tokens[sequence.text] += (sequence.targets != UNSCORED).sum()
        self.n_bytes = _bytes_after(loaded, texts, skipped)

    def score(self) -> Likelihood:
        """Likelihood of the texts under the model as it is now."""
        nll = np.zeros(self.n_texts)

        def forward(rows: np.ndarray) -> None:
            targets, losses = self._losses([self._sequences[row] for row in rows])
            text = np.array([self._sequences[row].text for row in rows])
            np.add.at(nll, text[np.nonzero(targets != UNSCORED)[0]], losses)

        in_batches(forward, np.arange(len(self._sequences)), self._lengths, self._batch_tokens)
        return Likelihood(nll, self.n_tokens, self.n_bytes)

    @torch.inference_mode()
    def _losses(self, sequences: list[_Sequence]) -> tuple[np.ndarray, np.ndarray]:
        """Targets of a batch, shape [row, token], and the loss at each scored one in that order."""
        loaded = self._loaded
        ids, real = _rectangle([sequence.ids for sequence in sequences], loaded.pad_id)
        targets, _ = _rectangle([sequence.targets for sequence in sequences], UNSCORED)
        inputs = {"input_ids": ids, "attention_mask": real}
        if loaded.is_encoder_decoder:
            inputs = {f"decoder_{name}": array for name, array in inputs.items()}
            source, real = _rectangle([sequence.source for sequence in sequences], loaded.pad_id)
            inputs |= {"input_ids": source, "attention_mask": real}
        inputs = {name: torch.from_numpy(array).to(loaded.device) for name, array in inputs.items()}
        if loaded.sites[-1].stack == "decoder":
            inputs["use_cache"] = False
        hidden = head_inputs(loaded, inputs)
        scored = torch.from_numpy(targets != UNSCORED)
        hidden = hidden[scored.to(hidden.device)]
        wanted = torch.from_numpy(targets)[scored].to(hidden.device)
        step = max(1, LOGITS // loaded.n_embeddings)
        losses = [
            functional.cross_entropy(logits(loaded, some), target.to(some.device), reduction="none").cpu()
            for some, target in zip(hidden.split(step), wanted.split(step), strict=True)
        ]
        return targets, torch.cat(losses).double().numpy() if losses else np.zeros(0)


def head_inputs(loaded: LoadedModel, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """What the output embedding would read, shape [row, token, width], without computing a single logit.

    The whole model runs, so whatever it does to its hidden states before the head is done; the head itself
    is handed no positions.
    """
    held = []

    def hold(_, arguments: tuple) -> tuple:
        held.append(arguments[0])
        return (arguments[0][..., :0, :],)

    hook = loaded.model.get_output_embeddings().register_forward_pre_hook(hold)
    try:
        loaded.model(**inputs)
    finally:
        hook.remove()
    return held[0]


def logits(loaded: LoadedModel, hidden: torch.Tensor) -> torch.Tensor:
    """The model's logits from what its output embedding reads, in float32, shape [position, vocabulary]."""
    values = loaded.model.get_output_embeddings()(hidden).float()
    if (scale := getattr(loaded.model, "logit_scale", None)) is not None:  # Cohere
        values = values * scale
    if (cap := getattr(loaded.base.config, "final_logit_softcapping", None)) is not None:  # Gemma
        values = cap * torch.tanh(values / cap)
    if (bias := getattr(loaded.model, "final_logits_bias", None)) is not None:  # mBART
        values = values + bias.to(values.device)
    return values


def _windows(text: int, ids: np.ndarray, first: int, window: int, stride: int) -> list[_Sequence]:
    """Sequences of a causal model that together score every token from ``first`` on once."""
    sequences, scored = [], first
    for start in range(0, len(ids), stride):
        end = min(start + window, len(ids))
        targets = np.full(end - start, UNSCORED)
        targets[scored - start - 1 : end - start - 1] = ids[scored:end]
        sequences.append(_Sequence(text, ids[start:end], targets))
        scored = end
        if end == len(ids):
            break
    return sequences


def _masked(text: int, ids: np.ndarray, content: np.ndarray, mask_id: int) -> list[_Sequence]:
    """One sequence for each content token, with that token masked."""
    sequences = []
    for position in content:
        masked, targets = ids.copy(), np.full(len(ids), UNSCORED)
        masked[position], targets[position] = mask_id, ids[position]
        sequences.append(_Sequence(text, masked, targets))
    return sequences


def _halves(text: int, ids: np.ndarray, content: np.ndarray, loaded: LoadedModel) -> _Sequence:
    """The first half to the encoder, the second to the decoder, each with the special tokens around it."""
    middle = content[len(content) // 2]
    before, after = ids[: content[0]], ids[content[-1] + 1 :]
    source = np.concatenate([ids[:middle], after])
    labels = np.concatenate([before, ids[middle:]])
    shifted = loaded.model.prepare_decoder_input_ids_from_labels(labels=torch.from_numpy(labels)[None])
    targets = labels.copy()
    targets[: len(before)] = targets[len(labels) - len(after) :] = UNSCORED
    return _Sequence(text, shifted[0].cpu().numpy(), targets, source)


def _rectangle(rows: list[np.ndarray], fill: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows padded on the right, and 1 where they are not padding, both int64 [row, token]."""
    real = np.arange(max(map(len, rows))) < np.array([len(row) for row in rows])[:, None]
    filled = np.full(real.shape, fill, dtype=np.int64)
    filled[real] = np.concatenate(rows)
    return filled, real.astype(np.int64)


def _bytes_after(loaded: LoadedModel, texts: Sequence[str], skipped: np.ndarray) -> np.ndarray:
    """UTF-8 bytes of each text after its first ``skipped`` content tokens."""
    total = np.array([len(text.encode()) for text in texts])
    some = np.flatnonzero(skipped)
    if not some.size:
        return total
    plain = loaded.tokenizer([texts[i] for i in some], add_special_tokens=False, verbose=False,
                             return_offsets_mapping=loaded.tokenizer.is_fast)  # fmt: skip
    for row, i in enumerate(some):
        if loaded.tokenizer.is_fast:
            front = texts[i][: plain["offset_mapping"][row][skipped[i] - 1][1]]
        else:
            front = loaded.tokenizer.decode(plain["input_ids"][row][: skipped[i]])
        total[i] -= len(front.encode())
    return total
