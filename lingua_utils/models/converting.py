"""Turn a GGUF file into an ordinary model folder, once: configuration, safetensors, tokenizer.

Quantised weights become float32, which holds their values exactly. A file is known by its SHA-256, so that
the same file is converted once, wherever it lies.
"""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import transformers
from filelock import FileLock
from gguf import GGUFReader
from safetensors import SafetensorError
from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig
from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

from lingua_utils import files, hub
from lingua_utils.models.architectures import AUTO_CLASSES, NEURON_SITES, stacks_of
from lingua_utils.models.recipes import lab_folder

RECORD = "gguf.json"
"""Beside the converted weights: what they were converted from."""


def converted(model_id: str, revision: str = "main") -> Path:
    """Folder of a model that is one GGUF file, converted first where it is not yet.

    Parameters
    ----------
    model_id : str
        Path of a file, or ``"owner/repo/file.gguf"`` on the Hub.
    revision : str
        Of the repository; a file on this disk has none but ``"main"``.

    Raises
    ------
    FileNotFoundError
        For a file that is not there; the message names what is.
    ValueError
        As :func:`convert`.
    OSError
        With ``errno.ENOSPC`` if the disk has no room, before anything is written; else as
        :mod:`lingua_utils.hub`.
    """
    if hub.is_local(model_id):
        path = _on_disk(model_id, revision)
        return _converted_once(path, files.sha256_of(path), model_id)
    repository, name = _on_hub(model_id, revision)
    announced = repository.files[name].digest or ""
    if (folder := _folder(name, announced)).is_dir():
        return folder
    path = hub.fetch(repository, [name]) / name
    return _converted_once(path, files.sha256_of(path), f"{model_id} at {revision}")


def gguf_digest(model_id: str, revision: str = "main") -> str:
    """Hash of a GGUF file; of one on the Hub as that announces it, so that it is not downloaded.

    Raises
    ------
    FileNotFoundError
        For a file that is not there; the message names what is.
    """
    if hub.is_local(model_id):
        return files.sha256_of(_on_disk(model_id, revision))
    repository, name = _on_hub(model_id, revision)
    return repository.files[name].digest or repository.commit


def _on_disk(model_id: str, revision: str) -> Path:
    paths = (Path(model_id).expanduser(), files.resolve(model_id))
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise FileNotFoundError(f"no file {model_id}; one on the Hub is named owner/repo/file.gguf")
    if revision != "main":
        raise FileNotFoundError(f"{model_id} is one file and has no revision {revision!r}; there is main")
    return path


def _on_hub(model_id: str, revision: str) -> tuple[hub.Repository, str]:
    owner, repo, name = model_id.split("/", 2)
    repository = hub.look_up(f"{owner}/{repo}", revision)
    if name not in repository.files:
        known = [path for path in repository.files if hub.is_gguf(path)]
        raise FileNotFoundError(f"{repository} has no file {name}; of GGUF files, {hub.nearest(name, known)}")
    return repository, name


def _folder(name: str, digest: str) -> Path:
    return lab_folder() / "gguf" / f"{Path(name).stem}-{digest[:16]}"


def _converted_once(path: Path, digest: str, what: str) -> Path:
    folder = _folder(path.name, digest)
    with alone(folder):
        if not folder.is_dir():
            with files.writing(folder, folder=True) as temporary:
                convert(path, temporary, what, digest)
    return folder


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Write a folder as the only process that does; what a killed one left beside it is removed first."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{folder.name}.lock"):
        for left in folder.parent.iterdir():
            if left.name.startswith(f".{folder.name}.") and left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
        yield


def check_room(n_bytes: int, what: str) -> None:
    """Raise, as :func:`lingua_utils.files.check_room`, unless so many bytes have room where models lie."""
    way_out = "make room or set LINGUA_CHECKPOINTS to a folder on a larger disk"
    files.check_room(lab_folder(), n_bytes, what, way_out)


def convert(path: Path, folder: Path, what: str, digest: str) -> None:
    """Write a GGUF file's model into an empty folder, in float32.

    Parameters
    ----------
    path : Path
        The GGUF file.
    folder : Path
    what : str
        The model's name, for errors.
    digest : str
        SHA-256 of the file, for the record :data:`RECORD` beside the weights.

    Raises
    ------
    ValueError
        For an architecture that cannot be read from GGUF or is not known here, one part of several, a damaged
        file, or one that lacks tensors of its model.
    OSError
        With ``errno.ENOSPC`` if the disk has no room, before anything is written.
    """
    if re.search(r"-\d{5}-of-\d{5}\.gguf$", path.name, re.IGNORECASE):
        raise ValueError(f"{what} is one part of several; join them with gguf-split --merge")
    config = _configured(path, what)
    auto_class = AUTO_CLASSES[tuple(stacks_of(config.to_dict(), what))]
    with torch.device("meta"):
        n_bytes = 4 * auto_class.from_config(config).num_parameters()
    check_room(n_bytes, what)
    model, found = auto_class.from_pretrained(
        str(path.parent), gguf_file=path.name, dtype=torch.float32, output_loading_info=True
    )
    if found["missing_keys"]:
        missing = sorted(found["missing_keys"])
        raise ValueError(f"{what} lacks {len(missing)} tensors of its model, such as {missing[0]}")
    # What is saved is quantised no more, and would else be refused when it is loaded.
    model.config.__dict__.pop("quantization_config", None)
    model.is_quantized, model.hf_quantizer = False, None
    try:
        model.save_pretrained(folder)
    except SafetensorError as error:
        raise OSError(f"{what} could not be written into {lab_folder()} ({error})") from None
    AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name).save_pretrained(folder)
    record = {"file": path.name, "sha256": digest, "transformers": transformers.__version__}
    (folder / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")


def _configured(path: Path, what: str) -> PreTrainedConfig:
    """Configuration of a GGUF file's model; one line where there is none to be had."""
    try:
        architecture = GGUFReader(path).get_field("general.architecture").contents()
    except (AttributeError, IndexError, OverflowError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0].rstrip(". ")
        raise ValueError(f"{what} is damaged, or no GGUF file ({reason}); fetch it anew") from None
    try:
        return AutoConfig.from_pretrained(str(path.parent), gguf_file=path.name)
    except ValueError as error:
        if "not supported" not in str(error):
            raise
        readable = [name for name in GGUF_SUPPORTED_ARCHITECTURES if name in NEURON_SITES]
        raise ValueError(
            f"{what}: architecture {architecture!r} cannot be read from GGUF; of those that can, "
            f"{', '.join(readable)} are known here"
        ) from None
