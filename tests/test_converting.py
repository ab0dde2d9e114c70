"""A GGUF file is a model like any other: converted once, exactly, or refused in one line."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Quantisation
from safetensors import SafetensorError
from tiny_gguf import CHANGES, as_llama_cpp_orders, gguf_name, save_gguf
from tiny_models import TEXTS, tiny_model, tiny_tokenizer
from transformers import PreTrainedModel
from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

from lingua_utils import hub
from lingua_utils.models import converting
from lingua_utils.models.architectures import NEURON_SITES
from lingua_utils.models.loading import fingerprints, load_model
from lingua_utils.runs.settings import RunSettings

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def checkpoints(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LINGUA_CHECKPOINTS", str(tmp_path / "checkpoints"))
    return tmp_path / "checkpoints"


def kept(checkpoints: Path) -> list[str]:
    """What lies in the cache of converted files but the locks."""
    names = [path.name for path in (checkpoints / "gguf").glob("*")]
    return [name for name in names if not name.endswith(".lock")]


def refusal(model_id: str | Path, revision: str = "main") -> str:
    with pytest.raises((ValueError, OSError)) as error:
        load_model(str(model_id), revision)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_an_unquantised_file_loads_as_the_model_that_was_written(checkpoints, tmp_path):
    loaded, expected = load_model(str(save_gguf(tmp_path / "tiny.gguf"))), tiny_model("llama", **CHANGES)
    assert loaded.model.state_dict().keys() == expected.state_dict().keys()
    ids = torch.tensor([tiny_tokenizer("llama")(TEXTS[0][2]).input_ids])
    torch.testing.assert_close(loaded.model(ids).logits, expected(ids).logits)


@pytest.mark.parametrize("quantisation", [Quantisation.Q4_1, Quantisation.Q8_0, Quantisation.BF16])
def test_quantised_weights_become_the_numbers_they_stand_for(quantisation, checkpoints, tmp_path):
    loaded = load_model(str(save_gguf(tmp_path / "tiny.gguf", quantisation=quantisation)))
    assert loaded.dtype == torch.float32
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(tmp_path / "tiny.gguf").tensors}
    for name, weight in loaded.model.state_dict().items():
        tensor = stored[gguf_name(name)]
        expected = gguf.dequantize(tensor.data, tensor.tensor_type)
        found = as_llama_cpp_orders(name, weight.numpy(), loaded.model.config)
        np.testing.assert_array_equal(found, expected.reshape(found.shape))


@pytest.mark.parametrize("texts", TEXTS)
def test_the_tokenizer_of_the_file_cuts_text_as_the_one_that_was_written(texts, checkpoints, tmp_path):
    tokenizer = load_model(str(save_gguf(tmp_path / "tiny.gguf"))).tokenizer
    assert tokenizer(list(texts)).input_ids == tiny_tokenizer("llama")(list(texts)).input_ids


def test_a_file_is_converted_once_wherever_it_lies(checkpoints, tmp_path, monkeypatch):
    path = save_gguf(tmp_path / "tiny.gguf")
    first = load_model(str(path)).model.state_dict()
    (tmp_path / "elsewhere").mkdir()
    moved = shutil.move(path, tmp_path / "elsewhere" / "tiny.gguf")
    monkeypatch.setattr(converting, "convert", lambda *_: pytest.fail("converted again"))
    torch.testing.assert_close(load_model(str(moved)).model.state_dict(), first)
    assert len(kept(checkpoints)) == 1


def test_another_file_of_the_same_name_is_another_model(checkpoints, tmp_path):
    path = tmp_path / "tiny.gguf"
    embeddings = [
        load_model(str(save_gguf(path, seed))).model.get_input_embeddings().weight for seed in (0, 1)
    ]
    assert not torch.equal(*embeddings) and len(kept(checkpoints)) == 2


def test_the_fingerprint_of_a_file_is_told_without_converting_it(checkpoints, tmp_path):
    path = save_gguf(tmp_path / "tiny.gguf")
    before = fingerprints(str(path))
    assert not checkpoints.exists()
    save_gguf(path, seed=1)
    assert fingerprints(str(path))["weights"] != before["weights"]


def test_a_path_of_a_file_below_the_home_is_local_and_else_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.setenv("LINGUA_HOME", str(tmp_path))
    assert not hub.is_local("owner/repo/tiny.gguf") and hub.is_local("repo/tiny.gguf")
    assert RunSettings("owner/repo/tiny.gguf").folder.parent.name == "owner--repo--tiny.gguf"
    (tmp_path / "owner" / "repo").mkdir(parents=True)
    save_gguf(tmp_path / "owner" / "repo" / "tiny.gguf")
    assert hub.is_local("owner/repo/tiny.gguf")


# -- on the Hub


def test_a_file_on_the_hub_is_downloaded_and_converted_once(local_hub, checkpoints, tmp_path):
    content = save_gguf(tmp_path / "tiny.gguf").read_bytes()
    local_hub.add("someone/quants", {"sub/tiny.gguf": content, "sub/other.gguf": b"not read"})
    for _ in range(2):
        loaded = load_model("someone/quants/sub/tiny.gguf")
    expected = tiny_model("llama", **CHANGES).state_dict()
    torch.testing.assert_close(dict(loaded.model.state_dict()), dict(expected))
    assert len(local_hub.downloads("sub/tiny.gguf")) == 1 and not local_hub.downloads("sub/other.gguf")


def test_the_same_file_on_the_hub_and_here_is_one_model(local_hub, checkpoints, tmp_path):
    path = save_gguf(tmp_path / "tiny.gguf")
    local_hub.add("someone/quants", {"tiny.gguf": path.read_bytes()})
    assert fingerprints("someone/quants/tiny.gguf") == fingerprints(str(path))
    load_model(str(path))
    load_model("someone/quants/tiny.gguf")
    assert local_hub.downloads("tiny.gguf") == []


def test_a_file_that_the_repository_lacks_is_told_with_those_it_has(local_hub, checkpoints):
    local_hub.add("someone/quants", {"tiny-Q4_K_M.gguf": b"", "README.md": b""})
    message = refusal("someone/quants/tiny-Q5.gguf")
    assert (
        "someone/quants at main has no file tiny-Q5.gguf; of GGUF files, there is tiny-Q4_K_M.gguf" in message
    )


# -- what is refused


def test_an_architecture_that_cannot_be_read_is_told_with_those_that_can(checkpoints, tmp_path):
    message = refusal(save_gguf(tmp_path / "tiny.gguf", architecture="rwkv6"))
    assert "architecture 'rwkv6' cannot be read from GGUF" in message
    for name in ("llama", "gemma3", "qwen3", "bloom"):
        assert name in message and name in NEURON_SITES and name in GGUF_SUPPORTED_ARCHITECTURES
    assert "tokenizer" not in message


def test_a_file_without_one_of_its_tensors_is_refused_with_its_name(checkpoints, tmp_path):
    message = refusal(save_gguf(tmp_path / "tiny.gguf", without="blk.1.ffn_down.weight"))
    assert "lacks 1 tensors of its model, such as model.layers.1.mlp.down_proj.weight" in message


HARMS = {
    "empty": lambda whole: b"",
    "no GGUF": lambda whole: b"safetensors" * 100,
    "cut in its head": lambda whole: whole[:3000],
    "cut in its tensors": lambda whole: whole[: len(whole) * 3 // 4],
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_file_is_told_in_one_line(harm, checkpoints, tmp_path):
    path = save_gguf(tmp_path / "tiny.gguf")
    path.write_bytes(HARMS[harm](path.read_bytes()))
    message = refusal(path)
    assert str(path) in message and "is damaged, or no GGUF file" in message and kept(checkpoints) == []


def test_one_part_of_several_is_refused_with_the_way_to_join_them(checkpoints, tmp_path):
    message = refusal(save_gguf(tmp_path / "tiny-00001-of-00002.gguf"))
    assert "one part of several; join them with gguf-split --merge" in message


def test_a_file_that_is_not_there_and_a_revision_that_a_file_cannot_have_are_told(checkpoints, tmp_path):
    assert "no file ./tiny.gguf; one on the Hub is named owner/repo/file.gguf" in refusal("./tiny.gguf")
    path = save_gguf(tmp_path / "tiny.gguf")
    assert "is one file and has no revision 'step100'; there is main" in refusal(path, "step100")


def test_a_full_disk_is_told_before_anything_is_written(checkpoints, tmp_path, monkeypatch):
    path, usage = save_gguf(tmp_path / "tiny.gguf"), namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 1000))
    message = refusal(path)
    assert "and 0.00 GB are free" in message and "LINGUA_CHECKPOINTS" in message and kept(checkpoints) == []


def test_a_disk_that_fills_up_is_told_in_one_line_and_nothing_is_left(checkpoints, tmp_path, monkeypatch):
    def fills_up(_, folder):
        (folder / "model.safetensors").write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    path = save_gguf(tmp_path / "tiny.gguf")
    monkeypatch.setattr(PreTrainedModel, "save_pretrained", fills_up)
    assert f"could not be written into {checkpoints} (I/O error: No space left" in refusal(path)
    assert kept(checkpoints) == []


KILLED = """
import os, sys
from lingua_utils.models import converting
converting.AutoTokenizer.from_pretrained = lambda *_, **__: os.kill(os.getpid(), 9)
converting.converted(sys.argv[1])
"""


def test_what_a_killed_conversion_left_is_no_model_and_is_removed_by_the_next(checkpoints, tmp_path):
    path = save_gguf(tmp_path / "tiny.gguf")
    command = [sys.executable, "-c", KILLED, str(path)]
    assert subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True).returncode == -9
    (left,) = kept(checkpoints)
    assert left.startswith(".")
    assert load_model(str(path)).model_type == "llama"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert kept(checkpoints) == [f"tiny-{digest[:16]}"]
