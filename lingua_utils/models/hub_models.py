"""Models on the Hub: which files a model is, and the folder on this disk that holds them."""

import hashlib
import json
import logging
import re
from pathlib import Path

import huggingface_hub as hf

from lingua_utils import hub
from lingua_utils.models import pickled
from lingua_utils.revisions import nearest

logger = logging.getLogger(__name__)

# Weights in one file → the index of weights in several. The first kind found is taken.
_SAFETENSORS = {"model.safetensors": "model.safetensors.index.json"}
_PICKLED = {pickled.WEIGHTS: pickled.INDEX}

_VOCABULARY = re.compile(r"[^/]+\.model|tokenizer\.json|tekken\.json|vocab\.(json|txt)")
_TOKENIZER = re.compile(
    _VOCABULARY.pattern + r"|merges\.txt|(tokenizer_config|special_tokens_map|added_tokens|config)\.json"
)


def fetch_model(repository: hub.Repository) -> Path:
    """Folder with a model's configuration and its weights in safetensors, downloaded if it is not there yet.

    Pickled weights are converted once, by torch's weights-only loader; a log line says so.

    Raises
    ------
    FileNotFoundError, PermissionError, ConnectionError, OSError, ValueError
        As :func:`weight_files`, :func:`hub.fetch` and :func:`pickled.convert`.
    """
    weights = weight_files(repository)
    beside = ("config.json", "generation_config.json", *_SAFETENSORS.values())
    if not _has(repository, _SAFETENSORS):
        cache = hf.cached_assets_path("lingua_utils", repository.repo_id.replace("/", "--"), "safetensors")
        target = cache / repository.commit
        if target.is_dir():
            return target
        beside = ("config.json", "generation_config.json", *_PICKLED.values())
    names = [*weights, *(name for name in beside if name in repository.files)]
    if _has(repository, _SAFETENSORS):
        return hub.fetch(repository, names)
    source = hub.fetch(repository, names, extra=hub.size(repository, weights))
    with hub.explained(repository.repo_id, repository.revision, "model"):
        return pickled.convert(source, target, str(repository))


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
    return json.loads((hub.fetch(repository, ["config.json"]) / "config.json").read_text(encoding="utf-8"))


def fetch_tokenizer(model_id: str, revision: str = "main") -> Path:
    """Folder with a model's tokenizer; that of ``main`` where the revision has none.

    Raises
    ------
    FileNotFoundError
        If neither has one.
    """
    repository = hub.look_up(model_id, revision)
    if not _has_tokenizer(repository) and revision != "main" and "main" in hub.revisions(model_id):
        repository = hub.look_up(model_id)
        if _has_tokenizer(repository):
            logger.warning("%s at %s has no tokenizer: taking that of its main", model_id, revision)
    if not _has_tokenizer(repository):
        raise FileNotFoundError(
            f"{model_id} at {revision} has no tokenizer, nor has its main; add the repository whose "
            "tokenizer it was trained with to TOKENIZERS in lingua_utils/models/loading.py"
        )
    return hub.fetch(repository, [name for name in repository.files if _TOKENIZER.fullmatch(name)])


def weight_files(repository: hub.Repository) -> tuple[str, ...]:
    """Paths of the files that hold a model's weights: safetensors, or else pickled ones.

    Raises
    ------
    FileNotFoundError
        If there is no model, no weights under a known name, or not every shard of them.
    """
    fetch_config(repository)
    for whole, index in (_SAFETENSORS | _PICKLED).items():
        if whole in repository.files:
            return (whole,)
        if index in repository.files:
            listed = json.loads((hub.fetch(repository, [index]) / index).read_text(encoding="utf-8"))
            shards = tuple(sorted(set(listed["weight_map"].values())))
            missing = [shard for shard in shards if shard not in repository.files]
            if missing:
                raise FileNotFoundError(f"{repository}: {index} names {missing[0]}, which is not there")
            return shards
    raise FileNotFoundError(
        f"{repository} has no weights that can be read: none of {', '.join(_SAFETENSORS | _PICKLED)}, whole "
        f"or in shards; it has {', '.join(sorted(repository.files))}"
    )


def weight_bytes(repository: hub.Repository) -> int:
    """Size of a model's weights as they are saved."""
    return hub.size(repository, weight_files(repository))


def weights_fingerprint(repository: hub.Repository) -> str:
    """Identity of a model's weights, without downloading them: SHA-256 over the SHA-256 of each weight file.

    Equal for equal files, in whatever revision or repository.
    """
    digest = hashlib.sha256()
    for name in weight_files(repository):
        digest.update(bytes.fromhex(repository.files[name].digest or repository.commit))
    return digest.hexdigest()


def _has(repository: hub.Repository, names: dict[str, str]) -> bool:
    return any(name in repository.files for pair in names.items() for name in pair)


def _has_tokenizer(repository: hub.Repository) -> bool:
    return any(_VOCABULARY.fullmatch(name) for name in repository.files)
