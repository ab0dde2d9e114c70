"""The benchmark for a GPU where there is none: it counts rightly, runs small, and claims nothing."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import tiny_loaded
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModel

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

import capture_on_gpu  # noqa: E402


def test_without_a_gpu_it_runs_small_and_says_that_the_figure_is_to_be_measured():
    done = subprocess.run(
        [sys.executable, "benchmarks/capture_on_gpu.py", "--turns", "1"],
        cwd=ROOT, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for line in ("capture, s", "capture / bare forward", "peak memory", "share of the chip's peak FLOP/s"):
        assert line in done.stdout
    assert "promise" not in done.stdout.lower()
    assert done.stdout.endswith("the GPU figure is still to be measured: no CUDA device here\n")


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA H200", 989e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA L40S", 362e12),
        ("NVIDIA L4", 121e12),
        ("NVIDIA A10G", 70e12),
        ("NVIDIA A10", 125e12),
        ("Tesla T4", 65e12),
        ("Tesla V100-SXM2-16GB", 125e12),
        ("Some GPU 4000", None),
    ],
)
def test_a_chip_is_known_by_its_whole_name(name, peak):
    assert capture_on_gpu.peak_flops(name) == peak


def test_operations_are_those_that_a_forward_does():
    loaded, lengths = tiny_loaded("bloom"), np.array([7, 40])
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        for length in lengths:
            loaded.base(input_ids=torch.zeros((1, length), dtype=torch.int64))
    # Biases and norms are parameters too, and add a little.
    assert capture_on_gpu.forward_flops(loaded, lengths) == pytest.approx(counter.get_total_flops(), rel=0.05)


def test_the_model_it_promises_for_has_the_shape_of_bloom_7b1():
    form = capture_on_gpu.BLOOM_7B1
    config = AutoConfig.for_model(
        "bloom", vocab_size=250_880, hidden_size=form.width, n_layer=form.layers, n_head=form.heads
    )
    with torch.device("meta"):
        model = AutoModel.from_config(config)
    assert model.num_parameters() == 7_069_016_064
    assert form.n_parameters == pytest.approx(model.num_parameters(), rel=0.001)


def test_sentences_are_of_forty_tokens_on_average_and_of_many_lengths():
    corpus = capture_on_gpu.random_corpus(10_000)
    lengths = np.array([[len(text.split()) for text in texts] for texts in corpus.texts])
    assert lengths.shape == (10, 1000)
    assert lengths.mean() == pytest.approx(capture_on_gpu.MEAN_TOKENS, abs=0.5)
    assert 10 < lengths.std() < 20
