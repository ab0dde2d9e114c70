"""Pickled weights, read without running anything of them, and written anew as safetensors."""

import errno
import json
import logging
import pickle
import zipfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from lingua_utils import files

logger = logging.getLogger(__name__)

WEIGHTS, INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"


def convert(source: Path, target: Path, what: str) -> Path:
    """Write the pickled weights of a folder as safetensors, shard by shard, into a folder of their own.

    Parameters
    ----------
    source : Path
        Holds ``pytorch_model.bin``, or an index and its shards.
    target : Path
        Becomes a complete copy of the model: weights, index and every JSON and text file of ``source``. It
        appears when it is whole.
    what : str
        The model's name, for messages.

    Raises
    ------
    ValueError
        If torch's weights-only loader refuses a file. That loader builds tensors and plain containers only;
        nothing in the file is run.
    """
    logger.warning("%s has pickled weights only: converting them to safetensors, once, in %s", what, target)
    index = source / INDEX
    weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"] if index.is_file() else {}
    with files.writing(target, folder=True) as folder:
        for shard in sorted(set(weight_map.values())) or [WEIGHTS]:
            _save(_separate(load(source / shard, what)), folder / _renamed(shard))
        if weight_map:
            renamed = {"metadata": {}, "weight_map": {name: _renamed(at) for name, at in weight_map.items()}}
            (folder / "model.safetensors.index.json").write_text(json.dumps(renamed), encoding="utf-8")
        for path in source.iterdir():
            if path.suffix in (".json", ".txt", ".model", ".jinja") and path != index:
                (folder / path.name).write_bytes(path.read_bytes())
    return target


def load(path: Path, what: str) -> dict[str, torch.Tensor]:
    """Tensors of one pickled file, by torch's weights-only loader."""
    try:
        # Only the newer of torch's two formats, a zip archive, can be mapped instead of read.
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError:
        raise ValueError(
            f"{what}: torch's weights-only loader refuses {path.name}, which holds more than tensors; "
            "nothing of it was run; use a revision or a copy with safetensors"
        ) from None
    except (EOFError, RuntimeError, zipfile.BadZipFile) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"{what}: {path.name} is damaged ({reason}); remove it and run again") from None
    if not isinstance(state, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise ValueError(f"{what}: {path.name} is no table of named tensors; use a copy with safetensors")
    return state


def _save(tensors: dict[str, torch.Tensor], path: Path) -> None:
    try:
        save_file(tensors, path, {"format": "pt"})
    except SafetensorError as error:
        # safetensors writes by itself and tells of a full disk in words only.
        if f"os error {errno.ENOSPC}" in str(error):
            raise OSError(errno.ENOSPC, str(error), str(path)) from None
        raise


def _renamed(shard: str) -> str:
    return shard.replace("pytorch_model", "model", 1).removesuffix(".bin") + ".safetensors"


def _separate(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors with a memory each: safetensors refuses shared ones, and the model ties them again."""
    separate, seen = {}, set()
    for name, tensor in tensors.items():
        storage = tensor.untyped_storage().data_ptr()
        separate[name] = tensor.clone() if storage in seen else tensor.contiguous()
        seen.add(storage)
    return separate
