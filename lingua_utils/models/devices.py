"""Where a model runs, and whether it fits there: asked before its weights are read."""

from __future__ import annotations

from collections.abc import Sequence

import psutil
import torch

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

# Beside the weights: a batch's activations and the GPU libraries' own memory.
_ROOM_SHARE, _ROOM_BYTES = 0.10, 10**9


def choose_device(device: str | torch.device | None) -> torch.device | None:
    """The device to run on; None for ``"auto"``, which spreads a model over all GPUs.

    Raises
    ------
    ValueError
        For a device that is not there.
    """
    if device == "auto":
        return None
    mps = torch.backends.mps.is_available()
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise ValueError(f"unknown device {device!r}; use cpu, cuda, cuda:1, mps, auto, or None") from None
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(mps)}.get(chosen.type, 0)
    if (chosen.index or 0) >= count:
        raise ValueError(
            f"device {device!r}: torch sees {count} device(s) of type {chosen.type} here; use cpu"
        )
    return chosen


def choose_dtype(dtype: str | torch.dtype) -> str | torch.dtype:
    """A torch type, or ``"auto"``, as it was given.

    Raises
    ------
    ValueError
        For another type than :data:`DTYPES` has.
    """
    if dtype == "auto" or dtype in DTYPES.values():
        return dtype
    if dtype not in DTYPES:
        raise ValueError(f"unknown dtype {dtype!r}; use auto, {', '.join(DTYPES)}")
    return DTYPES[dtype]


def saved_dtype(config: dict, n_bytes: int, n_parameters: int) -> torch.dtype:
    """The type that a model's weights are saved in, as its configuration or else their size tells."""
    text = config.get("text_config") or {}
    named = (part.get(key) for part in (config, text) for key in ("dtype", "torch_dtype"))
    by_size = torch.float32 if n_bytes > 3 * n_parameters else torch.float16
    return DTYPES.get(next(filter(None, named), None), by_size)


def memory_needed(n_parameters: int, dtype: torch.dtype) -> int:
    """Bytes of memory that a model needs to be measured: its weights and room for a batch.

    Examples
    --------
    >>> round(memory_needed(7_069_016_064, torch.float16) / 1e9, 1)
    16.6
    """
    return round(n_parameters * dtype.itemsize * (1 + _ROOM_SHARE)) + _ROOM_BYTES


def free_memory(device: torch.device | None) -> list[int] | None:
    """Bytes that a model can have of the GPU, or of each for None; None where it runs on no GPU."""
    if not torch.cuda.is_available() or (device is not None and device.type != "cuda"):
        return None
    n_gpus = torch.cuda.device_count()
    chosen = [torch.device("cuda", gpu) for gpu in range(n_gpus)] if device is None else [device]
    return [free_for_batches(gpu) for gpu in chosen]


def free_for_batches(device: torch.device) -> int:
    """Bytes that a computation on a device can still have: of the GPU, or else of this computer's memory."""
    if device.type != "cuda":
        return psutil.virtual_memory().available
    # What torch has asked the GPU for and does not use is free as well.
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + unused


def check_memory(
    what: str, n_parameters: int, dtype: torch.dtype, free: Sequence[int], others: Sequence[int] = ()
) -> None:
    """Raise if a model does not fit into the memory of the GPUs it is to run on.

    Parameters
    ----------
    what : str
        The model's name, for the message.
    n_parameters : int
    dtype : torch.dtype
        That it is to run in.
    free : sequence of int
        Free bytes of each GPU it is to run on; on several it is spread by ``device_map="auto"``.
    others : sequence of int
        Free bytes of further GPUs.

    Raises
    ------
    MemoryError
        With what is needed and free, and the dtype and ``device_map`` that would fit.
    """
    needed = memory_needed(n_parameters, dtype)
    if needed <= sum(free):
        return
    halves = [dtype] if dtype.itemsize <= 2 else [dtype, torch.bfloat16]
    ways = [(half, places) for places in (tuple(free), (*free, *others)) for half in halves]
    fitting = next(
        ((half, places) for half, places in ways if memory_needed(n_parameters, half) <= sum(places)), None
    )
    if fitting is None:
        smallest = _gigabytes(memory_needed(n_parameters, halves[-1]))
        way_out = f'take a smaller model, or device="cpu" with {smallest} of memory for {_name(halves[-1])}'
    else:
        half, places = fitting
        changes = [f'dtype="{_name(half)}"'] if half != dtype else []
        changes += (
            [f'device="auto" (device_map="auto" over {len(places)} GPUs)'] if len(places) > len(free) else []
        )
        way_out = (
            f"{' and '.join(changes)} needs {_gigabytes(memory_needed(n_parameters, half))} and would fit"
        )
    raise MemoryError(
        f"{what} in {_name(dtype)} needs {_gigabytes(needed)} of GPU memory and {_gigabytes(sum(free))} are "
        f"free; {way_out}"
    )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
