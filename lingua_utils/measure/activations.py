"""What each neuron does on each sentence: one masked, batched forward of the headless model.

A neuron's activation on a sentence is the mean over its tokens of the down-projection's input. It is pooled
inside a forward pre-hook, so that activations of single tokens are never kept.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from tqdm import tqdm

from lingua_utils import files
from lingua_utils.measure.sums import Vectors
from lingua_utils.models.batches import Tokens, check_memory, in_batches, model_inputs, tokenize
from lingua_utils.models.loading import LoadedModel

if TYPE_CHECKING:
    from lingua_utils.text.corpus import ParallelCorpus

POOLINGS = ("mean", "skip_first", "last")
_SCRATCH = 2**19  # values compared at a time on a CPU, so that they stay in its cache


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

    def by_layer(self) -> Iterator[tuple[str, Vectors]]:
        """Each layer's label and vectors as they are, then ("all", those of all layers concatenated).

        On which scale they are compared is asked of each measure.
        """
        reads = [partial(self._values.__getitem__, index) for index in range(len(self.layers))]
        shapes = [(len(self.languages), self.n_sentences, width) for width in self.widths]
        of = partial(Vectors.concatenated, languages=self.languages, chosen=self._chosen)
        for index, label in enumerate(self.layers):
            # One layer fits in the memory, and is read once for all that is asked of it.
            yield label, of([cache(reads[index])], [label], [shapes[index]], layer_index=index)
        yield "all", of(reads, self.layers, shapes)

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
        with files.writing(folder, folder=True) as temporary:
            _save_head(temporary, {name: getattr(self, name) for name in _ABOUT + _COUNTS})
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
            fingerprint=_fingerprint(
                _digest(np.concatenate([layer[sentence] for layer in layers]))
                for sentence in np.ndindex(n_languages, n_sentences)
            ),
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


def _digest(sentence: np.ndarray) -> bytes:
    """Identity of one sentence's vector, all layers concatenated."""
    return hashlib.sha256(np.ascontiguousarray(sentence)).digest()


def _fingerprint(digests: Iterable[bytes]) -> str:
    """Identity of all sentences, from those of each: language by language, in order."""
    return hashlib.sha256(b"".join(digests)).hexdigest()[:16]


def _save_head(folder: Path, shared: Mapping[str, Any]) -> None:
    """Write what the layers share."""
    about = json.dumps({name: shared[name] for name in _ABOUT})
    save_file({name: shared[name] for name in _COUNTS}, folder / _HEAD, {"activations": about})


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


@dataclass(frozen=True)
class _Rows:
    """A tensor [row, neuron] in a file, written where it belongs: ``rows[indices] = values``.

    Written, and not mapped: what is written is no memory of this process, and a full disk is an error.
    """

    file: BinaryIO
    start: int
    dtype: np.dtype
    width: int

    def __setitem__(self, rows: np.ndarray, values: np.ndarray) -> None:
        size = self.width * self.dtype.itemsize
        for row, line in zip(rows, np.ascontiguousarray(values, dtype=self.dtype), strict=True):
            self.file.seek(self.start + int(row) * size)
            self.file.write(line)


@contextmanager
def _layer_files(
    folder: Path, shape: tuple[int, int], widths: Sequence[int], dtypes: Mapping[str, np.dtype]
) -> Iterator[dict[str, list[_Rows]]]:
    """The files of all layers, to be filled in any order: safetensors, whose header comes first."""
    tensors: dict[str, list[_Rows]] = {name: [] for name in dtypes}
    with ExitStack() as opened:
        for index, width in enumerate(widths):
            header, offset = {}, 0
            for name, dtype in dtypes.items():
                size = shape[0] * shape[1] * width * dtype.itemsize
                header[name] = {
                    "dtype": f"{dtype.kind.upper()}{8 * dtype.itemsize}",
                    "shape": [*shape, width],
                    "data_offsets": [offset, offset + size],
                }
                offset += size
            written = json.dumps(header, separators=(",", ":")).encode()
            written += b" " * (-len(written) % 8)  # numbers begin at multiples of 8
            # Unbuffered: each row is written once, and whole.
            file = opened.enter_context((folder / _LAYER.format(index)).open("wb", buffering=0))
            file.write(len(written).to_bytes(8, "little") + written)
            for name, dtype in dtypes.items():
                start = 8 + len(written) + header[name]["data_offsets"][0]
                tensors[name].append(_Rows(file, start, dtype, width))
        yield tensors


def capture(
    loaded: LoadedModel,
    corpus: "ParallelCorpus",
    pooling: str = "mean",
    batch_tokens: int | None = None,
    max_tokens: int | None = None,
    too_long: str = "truncate",
    progress: bool = True,
    folder: str | Path | None = None,
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
        Longest sentence, special tokens included; default, and never more than, the model's positions; where
        they have no end (ALiBi, T5), by default :data:`lingua_utils.models.batches.LONGEST`, 2,048.
    too_long : {"truncate", "refuse"}
        Longer sentences are cut and counted in ``n_truncated``, or are an error.
    progress : bool
        Show a progress bar.
    folder : path, optional
        Write them there as they come, whole or not at all, and open them as :meth:`Activations.open` does:
        the memory needed then is that of a batch, however many the sentences. Default: keep them in memory.

    Raises
    ------
    ValueError
        For an unknown option; for a sentence that is too long (if refused) or has no content token; for
        activations that are infinite or NaN, with layer, language and sentence.
    MemoryError
        For a sentence too long for the memory, by name and before the first forward.

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
    check_memory(loaded, tokens.lengths, name_of)
    batch_tokens = batch_tokens or default_batch_tokens(loaded)
    n_content = tokens.n_content.reshape(len(languages), n_sentences)
    n_tokens = {
        "mean": n_content,
        "skip_first": np.maximum(n_content - tokens.content[tokens.starts].reshape(n_content.shape), 1),
        "last": np.ones_like(n_content),
    }[pooling]
    dtypes = {"values": np.dtype(np.float32), "n_positive": np.min_scalar_type(n_content.max())}
    digests = [b""] * len(texts)

    def into(tensors: Mapping[str, Sequence[np.ndarray | _Rows]]) -> dict[str, Any]:
        """Fill the tensors of every layer, a batch at a time; returns what the layers share."""
        pool = _pooler(loaded, tokens, pooling)

        def forward(rows: np.ndarray) -> None:
            pooled, n_positive = pool(rows)
            finite = torch.isfinite(pooled)
            if not finite.all():
                row, neuron = np.argwhere(~finite.cpu().numpy())[0]
                layer = layers[np.searchsorted(ends, neuron, side="right")]
                language, sentence = divmod(rows[row], n_sentences)
                raise ValueError(_not_finite(layer, languages[language], sentence))
            batch = {"values": pooled.cpu().numpy(), "n_positive": n_positive.cpu().numpy()}
            for row, sentence in zip(rows, batch["values"], strict=True):
                digests[row] = _digest(sentence)
            for name, found in batch.items():
                for tensor, part in zip(tensors[name], np.split(found, ends[:-1], axis=1), strict=True):
                    tensor[rows] = part
            bar.update(len(rows))

        with tqdm(total=len(texts), unit=" sentences", disable=not progress) as bar:
            in_batches(forward, np.arange(len(texts)), tokens.lengths, batch_tokens)
        return {
            "languages": languages,
            "layers": layers,
            "widths": widths,
            "n_sentences": n_sentences,
            "pooling": pooling,
            "corpus_fingerprint": corpus.fingerprint,
            "kinds": corpus.kinds,
            "n_truncated": int(tokens.truncated.sum()),
            "fingerprint": _fingerprint(digests),
            "n_tokens": n_tokens,
            "n_content": n_content,
        }

    if folder is None:
        arrays = {
            name: [np.empty((*n_content.shape, width), dtype) for width in widths]
            for name, dtype in dtypes.items()
        }
        flat = {name: [array.reshape(len(texts), -1) for array in part] for name, part in arrays.items()}
        return Activations(**into(flat), **{f"_{name}": part for name, part in arrays.items()})
    with files.writing(folder, folder=True) as temporary:
        with _layer_files(temporary, n_content.shape, widths, dtypes) as rows:
            shared = into(rows)
        _save_head(temporary, shared)
    return Activations.open(folder)


def default_batch_tokens(loaded: LoadedModel) -> int:
    """Tokens of a batch that keep the device busy: on a CPU few, so that a layer stays in its cache."""
    return 1024 if loaded.device.type == "cpu" else 8192


def _pooler(
    loaded: LoadedModel, tokens: Tokens, pooling: str
) -> Callable[[np.ndarray], tuple[torch.Tensor, torch.Tensor]]:
    """A function that takes rows of sentences, and makes one forward over them.

    It returns, on the model's device, two tensors float32, shape [row, neuron of any layer]: the sentences'
    vectors, and on how many of its content tokens a neuron is above 0.
    """
    # Which values are above 0, as numbers that can be summed, in memory that is asked for once.
    scratch: dict[tuple[torch.device, torch.dtype], torch.Tensor] = {}

    def count(content: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """On how many of the tokens marked 1 a value is above 0, [row, 1, neuron]."""
        n_rows, n_tokens, width = values.shape
        kept = scratch.get((values.device, values.dtype))
        needed = max(n_tokens * width, _SCRATCH) if values.device.type == "cpu" else values.numel()
        if kept is None or len(kept) < needed:
            kept = scratch[values.device, values.dtype] = values.new_empty(needed)
        step = len(kept) // (n_tokens * width)
        counts = []
        for start in range(0, n_rows, step):
            part = values[start : start + step]
            above = torch.gt(part, 0, out=kept[: part.numel()].view(part.shape))
            counts.append(_sum(content[start : start + step], above))
        return torch.cat(counts)

    def pool(rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        inputs, content = model_inputs(loaded, tokens, rows)
        counted = {stack: mask[:, None].to(loaded.device) for stack, mask in content.items()}
        chosen = {stack: _chosen(mask, pooling)[:, None].to(loaded.device) for stack, mask in content.items()}
        pooled, n_positive = [None] * len(loaded.sites), [None] * len(loaded.sites)

        def read(index: int, module: torch.nn.Module, args: tuple[torch.Tensor]) -> None:
            stack = loaded.sites[index].stack
            # OPT flattens its sentences before the MLP.
            values = args[0].unflatten(0, (len(rows), -1)) if args[0].dim() == 2 else args[0]
            if not _sums_in_float32(values.device, values.dtype):
                values = values.float()
            pooled[index] = _sum(chosen[stack].to(values), values)[:, 0].to(loaded.device)
            n_positive[index] = count(counted[stack].to(values), values)[:, 0].to(loaded.device)

        with ExitStack() as hooks, torch.inference_mode():
            for index, site in enumerate(loaded.sites):
                module = loaded.module(site)
                hooks.enter_context(module.register_forward_pre_hook(partial(read, index)))
            loaded.base(**inputs)
        means = [
            total / chosen[site.stack].sum(dim=2) for site, total in zip(loaded.sites, pooled, strict=True)
        ]
        return torch.cat(means, dim=1), torch.cat(n_positive, dim=1)

    return pool


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
