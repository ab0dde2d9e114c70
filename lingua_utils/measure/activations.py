"""What each neuron does on each sentence: one masked, batched forward of the headless model.

A neuron's activation on a sentence is the mean over its tokens of the down-projection's input. It is pooled
inside a forward pre-hook, so that activations of single tokens are never kept.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from tqdm import tqdm

from lingua_utils import files
from lingua_utils.measure.sums import Vectors
from lingua_utils.models.batches import Tokens, in_batches, model_inputs, tokenize
from lingua_utils.models.loading import LoadedModel

if TYPE_CHECKING:
    from lingua_utils.text.corpus import ParallelCorpus

POOLINGS = ("mean", "skip_first", "last")


@dataclass(eq=False)
class Activations:
    """Mean activations of parallel sentences, [language, sentence, layer, neuron].

    Made by :func:`capture`, :meth:`open` or :meth:`from_array`.

    Attributes
    ----------
    languages : tuple of str
    layers : tuple of str
        Labels: ``"3"``, in an encoder-decoder ``"encoder 3"`` and ``"decoder 3"``.
    widths : tuple of int
        Neurons of each layer.
    n_sentences : int
    pooling : {"mean", "skip_first", "last"}
    corpus_fingerprint : str
    kinds : tuple of str, or None
        Group of each meaning, as the corpus has it.
    n_truncated : int
        Sentences that were cut to the longest the model reads.
    fingerprint : str
        Identity of the numbers.
    n_tokens : int array, shape [language, sentence]
        Tokens that entered the mean; of an encoder-decoder, those of the encoder.
    n_content : int array, shape [language, sentence]
        Content tokens, whatever the pooling; those that :meth:`n_positive` counts among.
    """

    languages: tuple[str, ...]
    layers: tuple[str, ...]
    widths: tuple[int, ...]
    n_sentences: int
    pooling: str
    corpus_fingerprint: str
    kinds: tuple[str, ...] | None
    n_truncated: int
    fingerprint: str
    n_tokens: np.ndarray
    n_content: np.ndarray
    _values: Sequence[np.ndarray]
    _n_positive: Sequence[np.ndarray]
    _chosen: np.ndarray | None = None

    def __repr__(self) -> str:
        widths = " or ".join(f"{width:,}" for width in sorted(set(self.widths)))
        return (
            f"Activations of {self.n_sentences} sentences in {len(self.languages)} languages: "
            f"{len(self.layers)} layers of {widths} neurons, pooled by {self.pooling}"
        )

    def layer(self, index: int, sentences: slice = slice(None)) -> np.ndarray:
        """One layer, float32, shape [language, sentence, neuron]; read when asked for."""
        return self._read(self._values, index, sentences)

    def _read(self, layers: Sequence[np.ndarray], index: int, sentences: slice) -> np.ndarray:
        if self._chosen is not None:
            return layers[index][:, self._chosen[sentences]]
        if isinstance(layers, _Stored):
            return layers.read(index, sentences)
        return layers[index][:, sentences]

    def by_layer(self, scale: str = "raw") -> Iterator[tuple[str, Vectors]]:
        """Each layer's label and vectors, then ("all", those of all layers concatenated).

        Parameters
        ----------
        scale : {"standardised", "centred", "raw"}
            See :meth:`lingua_utils.measure.sums.Vectors.of`.
        """
        reads = [partial(self._values.__getitem__, index) for index in range(len(self.layers))]
        for index, label in enumerate(self.layers):
            one = Vectors.concatenated([reads[index]], [label], self.languages, self._chosen, index)
            yield label, one.scaled(scale)
        yield "all", Vectors.concatenated(reads, self.layers, self.languages, self._chosen).scaled(scale)

    def select(self, sentences: Sequence[int]) -> "Activations":
        """The activations of some of the meanings, by index; nothing is copied."""
        chosen = np.arange(self.n_sentences)[np.asarray(sentences)]
        return replace(
            self,
            n_sentences=len(chosen),
            kinds=None if self.kinds is None else tuple(self.kinds[index] for index in chosen),
            fingerprint=f"{self.fingerprint} of {chosen.tolist()}",
            n_tokens=self.n_tokens[:, chosen],
            n_content=self.n_content[:, chosen],
            _chosen=chosen if self._chosen is None else self._chosen[chosen],
        )

    def by_kind(self) -> Iterator[tuple[str, "Activations"]]:
        """("all", every sentence), then each kind that has at least 2 sentences."""
        yield "all", self
        for kind in sorted(set(self.kinds or ())):
            chosen = np.flatnonzero(np.asarray(self.kinds) == kind)
            if len(chosen) >= 2:
                yield kind, self.select(chosen)

    def n_positive(self, index: int, sentences: slice = slice(None)) -> np.ndarray:
        """On how many of a sentence's content tokens a neuron is above 0, [language, sentence, neuron].

        Exact, in the smallest unsigned type that holds the longest sentence: a byte up to 255 tokens.
        """
        return self._read(self._n_positive, index, sentences)

    def positive_shares(self, index: int, sentences: slice = slice(None)) -> np.ndarray:
        """On which share of a sentence's content tokens a neuron is above 0, in [0, 1].

        Returns
        -------
        array, float32, shape [language, sentence, neuron]
            :meth:`n_positive` over ``n_content``, which weighs it where sentences are taken together.
        """
        n_content = self.n_content[:, sentences, None].astype(np.float32)
        return self.n_positive(index, sentences) / n_content

    def positive(self, index: int) -> np.ndarray:
        """Share of a language's content tokens on which a neuron is above 0, in [0, 1], [language, neuron].

        All content tokens count, whatever the pooling: this is what LAPE (Tang et al. 2024) needs.
        """
        n_positive = self.n_positive(index).sum(axis=1, dtype=np.int64)
        return n_positive / self.n_content.sum(axis=1, keepdims=True)

    @property
    def values(self) -> np.ndarray:
        """All layers, float32, shape [language, sentence, layer, neuron].

        Raises
        ------
        ValueError
            When layers differ in width.
        """
        if len(set(self.widths)) > 1:
            raise ValueError(
                f"layers have {sorted(set(self.widths))} neurons: read them one by one with layer(i)"
            )
        return np.stack([self.layer(i) for i in range(len(self.layers))], axis=2)

    def save(self, folder: str | Path) -> Path:
        """Write a folder, whole or not at all: one file for each layer, and one for what they share."""
        about = {name: getattr(self, name) for name in _ABOUT}
        with files.writing(folder, folder=True) as temporary:
            counts = {name: getattr(self, name) for name in _COUNTS}
            save_file(counts, temporary / _HEAD, {"activations": json.dumps(about)})
            for i in range(len(self.layers)):
                tensors = {"values": self.layer(i), "n_positive": self.n_positive(i)}
                tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
                save_file(tensors, temporary / _LAYER.format(i))
        return Path(folder)

    @classmethod
    def open(cls, folder: str | Path) -> "Activations":
        """Open what :meth:`save` wrote; layers stay on disk until they are asked for.

        Raises
        ------
        FileNotFoundError
            When the folder does not hold activations.
        ValueError
            When a file of them is missing or damaged; the message names it.
        """
        folder = Path(folder)
        if not (folder / _HEAD).is_file():
            raise FileNotFoundError(f"no activations in {folder}: write them with capture(...).save(folder)")
        with _opened(folder / _HEAD) as file:
            written = json.loads(file.metadata()["activations"])
            about = {name: written[name] for name in _ABOUT}
            counts = {name: file.get_tensor(name) for name in _COUNTS}
        for name in ("languages", "layers", "widths", "kinds"):
            about[name] = about[name] if about[name] is None else tuple(about[name])
        n_layers = len(about["layers"])
        for i in range(n_layers):
            with _opened(folder / _LAYER.format(i)) as file:
                for name in _TENSORS:
                    file.get_slice(name)
        return cls(**about, **counts, **{f"_{name}": _Stored(folder, name, n_layers) for name in _TENSORS})

    @classmethod
    def from_array(
        cls,
        values: np.ndarray | Sequence[np.ndarray],
        languages: Sequence[str] | None = None,
        kinds: Sequence[str] | None = None,
    ) -> "Activations":
        """Activations from plain numbers, each sentence as one token.

        Parameters
        ----------
        values : array, shape [language, sentence, layer, neuron]
            Or a list over layers of arrays [language, sentence, neuron], whose widths may differ.
        languages : sequence of str, optional
            Default: ``"language 0"``, ``"language 1"``, ...
        kinds : sequence of str, optional
            Group of each sentence.

        Raises
        ------
        ValueError
            For a wrong number of axes, languages or kinds, or a number that is not finite.
        """
        if isinstance(values, np.ndarray):
            if values.ndim != 4:
                raise ValueError(
                    f"values have shape {values.shape}, expected [language, sentence, layer, neuron]"
                )
            values = list(np.moveaxis(values, 2, 0))
        layers = [np.ascontiguousarray(layer, dtype=np.float32) for layer in values]
        shapes = [layer.shape for layer in layers]
        if not layers or any(len(shape) != 3 or shape[:2] != shapes[0][:2] for shape in shapes):
            raise ValueError(f"layers have shapes {shapes}, expected [language, sentence, neuron] for each")
        n_languages, n_sentences = shapes[0][:2]
        languages = tuple(languages or (f"language {i}" for i in range(n_languages)))
        for what, given, expected in (
            ("languages", languages, n_languages),
            ("kinds", kinds, n_sentences),
        ):
            if given is not None and len(given) != expected:
                raise ValueError(f"{len(given)} {what} for values with {expected}")
        labels = tuple(str(i) for i in range(len(layers)))
        for label, layer in zip(labels, layers, strict=True):
            wrong = np.argwhere(~np.isfinite(layer).all(axis=2))
            if len(wrong):
                raise ValueError(_not_finite(label, languages[wrong[0, 0]], wrong[0, 1]))
        return cls(
            languages=languages,
            layers=labels,
            widths=tuple(shape[2] for shape in shapes),
            n_sentences=n_sentences,
            pooling="mean",
            corpus_fingerprint="",
            kinds=None if kinds is None else tuple(kinds),
            n_truncated=0,
            fingerprint=_fingerprint(layers),
            n_tokens=np.ones((n_languages, n_sentences), dtype=np.int64),
            n_content=np.ones((n_languages, n_sentences), dtype=np.int64),
            _values=layers,
            _n_positive=[(layer > 0).view(np.uint8) for layer in layers],
        )


_ABOUT = (
    *("languages", "layers", "widths", "n_sentences", "pooling"),
    *("corpus_fingerprint", "kinds", "n_truncated", "fingerprint"),
)
_COUNTS, _TENSORS = ("n_tokens", "n_content"), ("values", "n_positive")  # of the head, of a layer's file
_HEAD, _LAYER = "activations.safetensors", "layer_{:03d}.safetensors"


def _fingerprint(layers: Sequence[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for layer in layers:
        digest.update(np.ascontiguousarray(layer))
    return digest.hexdigest()[:16]


@contextmanager
def _opened(path: Path) -> Iterator[safe_open]:
    """A safetensors file, read; one line that names it where it cannot be."""
    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path} is missing or damaged ({reason}); remove its folder") from None


@dataclass(frozen=True)
class _Stored(Sequence):
    """One tensor of every layer's file, read when it is asked for."""

    folder: Path
    name: str
    n_layers: int

    def __len__(self) -> int:
        return self.n_layers

    def __getitem__(self, index: int) -> np.ndarray:
        return self.read(index, slice(None))

    def read(self, index: int, sentences: slice) -> np.ndarray:
        with _opened(self.folder / _LAYER.format(range(self.n_layers)[index])) as file:
            return file.get_slice(self.name)[:, sentences]


def capture(
    loaded: LoadedModel,
    corpus: "ParallelCorpus",
    pooling: str = "mean",
    batch_tokens: int | None = None,
    max_tokens: int | None = None,
    too_long: str = "truncate",
    progress: bool = True,
) -> Activations:
    """Mean activation of every neuron on every sentence.

    The headless model reads each sentence once, in batches of like length, without cache or gradients. An
    encoder-decoder's decoder reads the sentence again, as it would be taught to write it.

    Parameters
    ----------
    loaded : LoadedModel
    corpus : ParallelCorpus
    pooling : {"mean", "skip_first", "last"}
        Which content tokens make the sentence's vector: all; all but the first of the sequence, where
        LLaMA-like models keep their attention sink (a sentence of that one token keeps it); the last.
        Special tokens and padding never do, but special tokens are read as context.
    batch_tokens : int, optional
        Tokens in a batch, padding included; changes the speed and the memory, not the result. Default:
        :func:`default_batch_tokens`.
    max_tokens : int, optional
        Longest sentence, special tokens included; default, and never more than, the model's positions.
    too_long : {"truncate", "refuse"}
        Longer sentences are cut and counted in ``n_truncated``, or are an error.
    progress : bool
        Show a progress bar.

    Raises
    ------
    ValueError
        For an unknown option; for a sentence that is too long (if refused) or has no content token; for
        activations that are infinite or NaN, with layer, language and sentence.

    Notes
    -----
    Sums are in float32 whatever the model's dtype. Out of GPU memory the batch is halved and the run goes on.
    """
    for name, value, known in (
        ("pooling", pooling, POOLINGS),
        ("too_long", too_long, ("truncate", "refuse")),
    ):
        if value not in known:
            raise ValueError(f"{name} is {value!r}; it can be {', '.join(known)}")
    for name, value in (("batch_tokens", batch_tokens), ("max_tokens", max_tokens)):
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1")

    languages, n_sentences = corpus.languages, corpus.n_sentences
    layers = tuple(site.label for site in loaded.sites)
    widths = tuple(site.width for site in loaded.sites)
    ends = np.cumsum(widths)

    def name_of(row: int) -> str:
        return f"{languages[row // n_sentences]} sentence {row % n_sentences}"

    texts = [text for texts in corpus.texts for text in texts]
    tokens = tokenize(loaded, texts, name_of, max_tokens, too_long)
    batch_tokens = batch_tokens or default_batch_tokens(loaded)
    n_content = tokens.n_content.reshape(len(languages), n_sentences)
    values = [np.empty((*n_content.shape, width), dtype=np.float32) for width in widths]
    n_positive = [np.empty(layer.shape, dtype=np.min_scalar_type(n_content.max())) for layer in values]

    def forward(rows: np.ndarray) -> None:
        language, sentence = np.divmod(rows, n_sentences)
        pooled, counts = _pool(loaded, tokens, rows, pooling)
        finite = torch.isfinite(pooled)
        if not finite.all():
            row, neuron = np.argwhere(~finite.cpu().numpy())[0]
            layer = layers[np.searchsorted(ends, neuron, side="right")]
            raise ValueError(_not_finite(layer, languages[language[row]], sentence[row]))
        for arrays, found in ((values, pooled), (n_positive, counts)):
            for array, part in zip(arrays, np.split(found.cpu().numpy(), ends[:-1], axis=1), strict=True):
                array[language, sentence] = part
        bar.update(len(rows))

    with tqdm(total=len(texts), unit=" sentences", disable=not progress) as bar:
        in_batches(forward, np.arange(len(texts)), tokens.lengths, batch_tokens)

    n_tokens = {
        "mean": n_content,
        "skip_first": np.maximum(n_content - tokens.content[tokens.starts].reshape(n_content.shape), 1),
        "last": np.ones_like(n_content),
    }[pooling]
    return Activations(
        languages=languages,
        layers=layers,
        widths=widths,
        n_sentences=n_sentences,
        pooling=pooling,
        corpus_fingerprint=corpus.fingerprint,
        kinds=corpus.kinds,
        n_truncated=int(tokens.truncated.sum()),
        fingerprint=_fingerprint(values),
        n_tokens=n_tokens,
        n_content=n_content,
        _values=values,
        _n_positive=n_positive,
    )


def default_batch_tokens(loaded: LoadedModel) -> int:
    """Tokens of a batch that keep the device busy: on a CPU few, so that a layer stays in its cache."""
    return 1024 if loaded.device.type == "cpu" else 8192


def _pool(
    loaded: LoadedModel,
    tokens: Tokens,
    rows: np.ndarray,
    pooling: str,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One forward over some sentences; what it returns is on the model's device.

    Returns
    -------
    pooled : float32 tensor, shape [row, neuron of any layer]
        The sentences' vectors.
    above_zero : float32 tensor, shape [row, neuron of any layer]
        On how many of its content tokens a neuron is above 0.
    """
    device = loaded.device
    inputs, content = model_inputs(loaded, tokens, rows)
    counted = {stack: mask[:, None].to(device) for stack, mask in content.items()}
    chosen = {stack: _chosen(mask, pooling)[:, None].to(device) for stack, mask in content.items()}
    pooled, above_zero = [None] * len(loaded.sites), [None] * len(loaded.sites)

    def read(index: int, module: torch.nn.Module, args: tuple[torch.Tensor]) -> None:
        stack = loaded.sites[index].stack
        # OPT flattens its sentences before the MLP.
        values = args[0].unflatten(0, (len(rows), -1)) if args[0].dim() == 2 else args[0]
        if not _sums_in_float32(values.device, values.dtype):
            values = values.float()
        above = torch.gt(values, 0, out=torch.empty_like(values))
        for result, tokens_of, summand in ((pooled, chosen, values), (above_zero, counted, above)):
            result[index] = _sum(tokens_of[stack].to(summand), summand)[:, 0].to(device)

    with ExitStack() as hooks, torch.inference_mode():
        for index, site in enumerate(loaded.sites):
            hooks.enter_context(loaded.module(site).register_forward_pre_hook(partial(read, index)))
        loaded.base(**inputs)
    means = [total / chosen[site.stack].sum(dim=2) for site, total in zip(loaded.sites, pooled, strict=True)]
    return torch.cat(means, dim=1), torch.cat(above_zero, dim=1)


def _sum(tokens: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Sum in float32 over the tokens marked 1: [row, 1, token] of [row, token, neuron]."""
    if values.dtype == torch.float32:
        return torch.bmm(tokens, values)
    return torch.bmm(tokens, values, out_dtype=torch.float32)


@cache
def _sums_in_float32(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether a device sums values of a 16-bit type in float32, so that no float32 copy need be made."""
    if device.type != "cuda" or dtype.itemsize > 2:
        return False
    one = torch.ones((1, 1, 1), device=device, dtype=dtype)
    try:
        torch.bmm(one, one, out_dtype=torch.float32)
    except (RuntimeError, TypeError):  # an older torch, or an older GPU
        return False
    return True


def _chosen(content: torch.Tensor, pooling: str) -> torch.Tensor:
    """True for every token that enters its sentence's vector; each row has one at least."""
    chosen = content.clone()
    if pooling == "skip_first":
        chosen[:, 0] &= content.sum(dim=1) == 1
    elif pooling == "last":
        after = content.flip(1).cumsum(dim=1).flip(1)
        chosen &= after == 1
    return chosen


def _not_finite(layer: str, language: str, sentence: int) -> str:
    return (
        f"layer {layer}: {language} sentence {sentence} has infinite or NaN activations; "
        "load the model in float32 or bfloat16, or leave that sentence out"
    )
