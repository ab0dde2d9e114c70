"""Load a language model and know where its neurons are.

A neuron is one input channel of an MLP's down-projection: what stands there is the post-activation, and
gate × up in gated MLPs. :data:`NEURON_SITES` is the only table of architectures in the project; a new one
is a row there.
"""

import hashlib
import json
import logging
import os
import pickle
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils.logging import disable_progress_bar

from lingua_utils import files, hub
from lingua_utils.models import devices, hub_models
from lingua_utils.revisions import nearest, progress

logger = logging.getLogger(__name__)

_GATED = {"decoder": "layers.{}.mlp.down_proj"}
_T5 = {
    "encoder": "encoder.block.{}.layer.1.DenseReluDense.wo",
    "decoder": "decoder.block.{}.layer.2.DenseReluDense.wo",
}
_BERT = {"encoder": "encoder.layer.{}.output.dense"}

#: Where the neurons are: model type → {stack: path of layer {}'s down-projection in the headless model}.
NEURON_SITES: dict[str, dict[str, str]] = {
    "llama": _GATED,
    "mistral": _GATED,
    "qwen2": _GATED,
    "qwen3": _GATED,
    "gemma2": _GATED,
    "gemma3": _GATED,
    "gemma3_text": _GATED,
    "olmo2": _GATED,
    "olmo3": _GATED,
    "apertus": _GATED,
    "smollm3": _GATED,
    "cohere2": _GATED,
    "phi3": _GATED,
    "bloom": {"decoder": "h.{}.mlp.dense_4h_to_h"},
    "falcon": {"decoder": "h.{}.mlp.dense_4h_to_h"},
    "gpt_neox": {"decoder": "layers.{}.mlp.dense_4h_to_h"},
    "gpt2": {"decoder": "h.{}.mlp.c_proj"},
    "opt": {"decoder": "decoder.layers.{}.fc2"},
    "xglm": {"decoder": "layers.{}.fc2"},
    "mbart": {"encoder": "encoder.layers.{}.fc2", "decoder": "decoder.layers.{}.fc2"},
    "t5": _T5,
    "mt5": _T5,
    "umt5": _T5,
    "bert": _BERT,
    "xlm-roberta": _BERT,
    "modernbert": {"encoder": "layers.{}.mlp.Wo"},
}

#: Stacks of an architecture → the class that loads it with its language-model head.
AUTO_CLASSES = {
    ("decoder",): AutoModelForCausalLM,
    ("encoder",): AutoModelForMaskedLM,
    ("encoder", "decoder"): AutoModelForSeq2SeqLM,
}

#: Repositories without a tokenizer of their own, and the one whose tokenizer they were trained with.
TOKENIZERS = {
    f"bigscience/bloom-{size}-intermediate": f"bigscience/bloom-{size}"
    for size in ("560m", "1b1", "1b7", "3b", "7b1")
}


@dataclass(frozen=True)
class Site:
    """The neurons of one layer: the input of one down-projection.

    Attributes
    ----------
    stack : {"decoder", "encoder"}
    layer : int
        Index within the stack, from 0.
    name : str
        Path of the down-projection in the headless model, ``"h.0.mlp.dense_4h_to_h"``.
    width : int
        Number of neurons.
    paired : bool
        Whether the model has both stacks.
    """

    stack: str
    layer: int
    name: str
    width: int
    paired: bool = False

    @property
    def label(self) -> str:
        """``"3"``; in a model with both stacks ``"encoder 3"`` or ``"decoder 3"``."""
        return f"{self.stack} {self.layer}" if self.paired else str(self.layer)


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

    def module(self, site: Site) -> nn.Module:
        """The down-projection whose input holds the neurons of ``site``."""
        return self.base.get_submodule(site.name)


def headless(model: PreTrainedModel) -> PreTrainedModel:
    """The model without its language-model head, of the same modules; of a multimodal one, its text model."""
    if model.base_model is model and hasattr(model, "lm_head"):
        # T5 and its kin keep their stacks beside the head: put the same stacks into an empty headless shell.
        with torch.device("meta"):
            shell = AutoModel.from_config(model.config)
        for name, _ in shell.named_children():
            setattr(shell, name, getattr(model, name))
        return shell.eval()
    return getattr(model.base_model, "language_model", model.base_model)


def neuron_sites(model: PreTrainedModel) -> tuple[Site, ...]:
    """Where the neurons of a model are: encoder first, then decoder, first layer to last.

    Raises
    ------
    ValueError
        For an architecture that is not in :data:`NEURON_SITES`.
    """
    stacks = _stacks(model.config.to_dict(), type(model).__name__)
    modules = dict(headless(model).named_modules())
    sites = []
    for stack, path in stacks.items():
        layer = 0
        while (name := path.format(layer)) in modules:
            module = modules[name]
            # GPT-2's Conv1D keeps its weight transposed and calls its input width nx.
            width = module.in_features if hasattr(module, "in_features") else module.nx
            sites.append(Site(stack, layer, name, width, paired=len(stacks) == 2))
            layer += 1
    return tuple(sites)


def _stacks(config: dict, what: str) -> dict[str, str]:
    """Row of :data:`NEURON_SITES` for a configuration; the error for one that is not there."""
    model_type = config.get("model_type")
    if model_type in NEURON_SITES:
        return NEURON_SITES[model_type]
    text = config.get("text_config") or {}
    experts = any("expert" in key and value for part in (config, text) for key, value in part.items())
    kind = (
        "a mixture of experts, whose fused expert tensors have no one down-projection a layer"
        if experts
        else "an unknown architecture"
    )
    raise ValueError(
        f"{what}: model type {model_type!r} is {kind}; known are {', '.join(NEURON_SITES)}; "
        "to add one, give it a row in NEURON_SITES in lingua_utils/models/loading.py"
    )


def load_model(
    model_id: str,
    revision: str = "main",
    device: str | torch.device | None = None,
    dtype: str | torch.dtype = "auto",
) -> LoadedModel:
    """Load a model of the lab, of a local folder or of the Hub.

    Parameters
    ----------
    model_id : str
        ``"lab/bloom-m"``, a folder that holds a ``config.json`` (or one such folder per revision), or a Hub
        repository such as ``"bigscience/bloom-560m"``.
    revision : str
        A checkpoint of the lab (``"step000600"``; ``"main"`` is the last), or a branch, tag or commit.
    device : str or torch.device, optional
        Default: ``"cuda"`` where there is one, else ``"mps"``, else ``"cpu"``. ``"auto"`` spreads the model
        over all GPUs (``device_map="auto"``).
    dtype : {"auto", "float32", "bfloat16", "float16"} or torch.dtype
        ``"auto"``: as the weights were saved; the lab saves float32.

    Raises
    ------
    ValueError
        For an unknown or mixture-of-experts architecture, device or dtype, a tokenizer that does not belong
        to the model, and for weights that only an unsafe unpickling could read.
    FileNotFoundError
        For a model or revision that is not there; the message names the nearest that are.
    MemoryError
        For a model that the GPU has no room for; the message says what would fit.
    PermissionError, ConnectionError, OSError
        From the Hub, see :mod:`lingua_utils.hub`. What can be told without the weights is told before them.

    Notes
    -----
    Weights are read from safetensors. Where a model has only pickled ones, torch's weights-only loader reads
    them, and a log line says so. Code that comes with a model is never run.

    Examples
    --------
    >>> loaded = load_model("lab/bloom-m", "step000600")  # doctest: +SKIP
    >>> loaded.sites[0].name, loaded.sites[0].width  # doctest: +SKIP
    ('h.0.mlp.dense_4h_to_h', 512)
    """
    chosen_device, chosen_dtype = devices.choose_device(device), devices.choose_dtype(dtype)
    folder = checkpoint_folder(model_id, revision)
    what = f"{model_id} at {revision}"
    if folder is None:
        repository = hub.look_up(model_id, revision)
        config = hub_models.fetch_config(repository)
    else:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        revision = folder.name if model_id.startswith("lab/") else revision
    stacks = _stacks(config, what)
    n_bytes = _weight_bytes(folder) if folder else hub_models.weight_bytes(repository)
    auto_class = AUTO_CLASSES[tuple(stacks)]
    configured = AutoConfig.from_pretrained(
        str(folder or hub.fetch(repository, ["config.json"])), trust_remote_code=False
    )
    _check_memory(what, n_bytes, config, auto_class, configured, chosen_device, chosen_dtype)
    kept_in = (TOKENIZERS[model_id], "main") if model_id in TOKENIZERS else (model_id, revision)
    tokenizer = _tokenizer(folder or hub_models.fetch_tokenizer(*kept_in), what)
    check_vocabulary(tokenizer, configured.get_text_config().vocab_size, what)
    if folder is None:
        folder = hub_models.fetch_model(repository)

    spread = {"device_map": "auto"} if chosen_device is None else {}
    model = _weights(auto_class, str(folder), what, {"dtype": chosen_dtype, **spread})
    if chosen_device is not None:
        model = model.to(chosen_device)
    return LoadedModel.wrap(model, tokenizer, model_id, revision)


def _tokenizer(folder: Path, what: str) -> PreTrainedTokenizerBase:
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
            "TOKENIZERS in lingua_utils/models/loading.py"
        )


def _weight_bytes(folder: Path) -> int:
    weights = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))
    return sum(path.stat().st_size for path in weights)


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
    if dtype == "auto":
        dtype = devices.saved_dtype(config, n_bytes, n_parameters)
    others = [] if device is None else devices.free_memory(None)
    if others:
        del others[device.index or 0]
    devices.check_memory(what, n_parameters, dtype, free, others)


def _weights(auto_class: type, source: str, what: str, options: dict) -> PreTrainedModel:
    """The model with its weights, from safetensors where there are any."""
    # Without this, transformers asks a Hub service to convert what has no safetensors.
    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
    # Downloads have had their bar; one for the moments of reading a file would only fill a notebook.
    disable_progress_bar()
    options = {"trust_remote_code": False, "weights_only": True, **options}
    try:
        return auto_class.from_pretrained(source, use_safetensors=True, **options)
    except OSError as error:
        without_safetensors = error
    logger.warning(
        "%s has no safetensors: reading its pickled weights with torch's weights-only loader", what
    )
    try:
        return auto_class.from_pretrained(source, use_safetensors=False, **options)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{what}: torch's weights-only loader refuses its pickled weights, which hold more than tensors; "
            "nothing of them was run; use a copy in safetensors"
        ) from error
    except OSError:
        raise FileNotFoundError(
            f"no readable weights for {what}: {_first_line(without_safetensors)}"
        ) from without_safetensors


def checkpoint_folder(model_id: str, revision: str = "main") -> Path | None:
    """Folder of a model of the lab or on this disk; None for a Hub repository.

    Raises
    ------
    FileNotFoundError
        For a lab model, folder or revision that is not there; the message names what is.
    """
    if model_id.startswith("lab/"):
        from lingua_utils.models.training import lab_folder

        model = lab_folder() / model_id.removeprefix("lab/")
        if not model.is_dir():
            raise FileNotFoundError(
                f"{model_id} is not in {lab_folder()}; {nearest(model_id, _lab_models())}"
            )
        revisions = _revisions(model)
        if revision == "main" and revisions:
            return model / revisions[-1]
    else:
        folders = (Path(model_id).expanduser(), files.resolve(model_id))
        model = next((folder for folder in folders if folder.is_dir()), None)
        if model is None:
            if model_id.startswith((".", "/", "~")) or model_id.count("/") > 1:
                raise FileNotFoundError(f"no folder {model_id}, and a Hub repository is named owner/name")
            return None
        if revision == "main" and (model / "config.json").is_file():
            return model
        revisions = _revisions(model)
    if revision not in revisions:
        raise FileNotFoundError(f"{model_id} has no revision {revision!r}; {nearest(revision, revisions)}")
    return model / revision


def _lab_models() -> list[str]:
    from lingua_utils.models.training import LAB

    return [f"lab/{name}" for name in LAB]


def _revisions(model: Path) -> list[str]:
    """Names of the folders that hold a model, in order of their step."""
    names = [config.parent.name for config in model.glob("*/config.json") if config.parent.name[0] != "."]
    return sorted(names, key=lambda name: (progress(name).step or 0, name))


def weights_fingerprint(model_id: str, revision: str = "main") -> str:
    """Identity of a model's weights, here or on the Hub: SHA-256 over the SHA-256 of each weight file."""
    folder = checkpoint_folder(model_id, revision)
    if folder is None:
        return hub_models.weights_fingerprint(hub.look_up(model_id, revision))
    weights = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))
    if not weights:
        raise FileNotFoundError(f"no weights in {folder}: neither *.safetensors nor *.bin")
    digest = hashlib.sha256()
    for path in weights:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(". ")
