"""Whether a model fits, told without a GPU: sizes in, a message out."""

import pytest
import torch

from lingua_utils.models.devices import (
    check_memory,
    choose_device,
    free_memory,
    memory_needed,
    saved_dtype,
)

GB = 10**9
BLOOM_7B1 = 7_069_016_064


def refusal(*arguments) -> str:
    with pytest.raises(MemoryError) as error:
        check_memory("bloom-7b1", BLOOM_7B1, *arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(("dtype", "width"), [(torch.float32, 4), (torch.bfloat16, 2)])
def test_a_model_needs_its_weights_a_tenth_more_and_a_gigabyte(dtype, width):
    assert memory_needed(10 * GB, dtype) == width * 11 * GB + GB


def test_a_model_that_fits_passes():
    check_memory("bloom-7b1", BLOOM_7B1, torch.bfloat16, [80 * GB])
    check_memory("bloom-7b1", BLOOM_7B1, torch.bfloat16, [10 * GB, 10 * GB])


def test_a_model_that_does_not_fit_is_told_what_it_needs_and_what_is_free():
    message = refusal(torch.float32, [15 * GB])
    assert "in float32 needs 32.1 GB of GPU memory and 15.0 GB are free" in message


def test_half_the_width_is_proposed_where_it_fits():
    assert 'dtype="bfloat16" needs 16.6 GB and would fit' in refusal(torch.float32, [24 * GB])


def test_several_gpus_are_proposed_where_they_fit():
    message = refusal(torch.bfloat16, [15 * GB], [15 * GB])
    assert 'device_map="auto" over 2 GPUs' in message and "dtype=" not in message


def test_both_are_proposed_where_only_both_fit():
    message = refusal(torch.float32, [12 * GB], [12 * GB])
    assert 'dtype="bfloat16" and device="auto"' in message


def test_where_nothing_fits_the_cpu_is_proposed():
    assert 'device="cpu" with 16.6 GB of memory for float16' in refusal(torch.float16, [4 * GB])
    assert 'device="cpu" with 16.6 GB of memory for bfloat16' in refusal(torch.float32, [4 * GB])


@pytest.mark.parametrize(
    ("config", "n_bytes", "dtype"),
    [
        ({"torch_dtype": "bfloat16"}, 2000, torch.bfloat16),
        ({"dtype": "float16"}, 2000, torch.float16),
        ({"text_config": {"dtype": "bfloat16"}}, 2000, torch.bfloat16),
        ({}, 2010, torch.float16),  # XGLM names none
        ({}, 4010, torch.float32),
    ],
)
def test_the_saved_dtype_is_read_from_the_configuration_or_told_by_the_size(config, n_bytes, dtype):
    assert saved_dtype(config, n_bytes, n_parameters=1000) is dtype


def test_auto_is_no_single_device():
    assert choose_device("auto") is None
    assert choose_device("cpu") == torch.device("cpu")


def test_what_torch_holds_of_a_gpu_and_does_not_use_is_free_too(monkeypatch):
    known = {"is_available": True, "device_count": 2, "mem_get_info": (5 * GB, 80 * GB)}
    known |= {"memory_reserved": 4 * GB, "memory_allocated": 1 * GB}
    for name, value in known.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, value=value: value)
    assert free_memory(torch.device("cuda")) == [8 * GB] and free_memory(None) == [8 * GB, 8 * GB]
    assert free_memory(torch.device("cpu")) is None
