"""The Hub, spoken to over its real protocol on this machine, and each of its failures."""

import errno
import json
import logging
import os
import pickle
import shutil
import subprocess
from collections import namedtuple
from pathlib import Path

import huggingface_hub
import pandas as pd
import pytest
import torch
from local_hub import LocalHub
from safetensors.torch import load_file
from tiny_models import LANGUAGES, TEXTS, save_tiny
from transformers import AutoModelForCausalLM, AutoTokenizer

from lingua_utils import hub
from lingua_utils.models import devices, hub_models
from lingua_utils.models.loading import load_model, weights_fingerprint

ROOT = Path(__file__).resolve().parent.parent
WEIGHTS = "model.safetensors"


@pytest.fixture
def local_hub(monkeypatch, tmp_path):
    """A Hub of its own for each test, and an empty cache; nobody is logged in."""
    with LocalHub() as server:
        server.use(monkeypatch, tmp_path / "cache")
        yield server


@pytest.fixture(scope="module")
def bloom(tmp_path_factory) -> Path:
    return save_tiny("bloom", tmp_path_factory.mktemp("bloom"))


@pytest.fixture(scope="module")
def pickled_bloom(bloom, tmp_path_factory) -> Path:
    """The same model as BLOOM's intermediate checkpoints may be: pickled weights, no tokenizer."""
    folder = tmp_path_factory.mktemp("pickled")
    shutil.copy(bloom / "config.json", folder)
    torch.save(load_file(bloom / WEIGHTS), folder / "pytorch_model.bin")
    return folder


def fetch_model(model_id: str, revision: str = "main") -> Path:
    return hub_models.fetch_model(hub.look_up(model_id, revision))


class Payload:
    """An object whose unpickling creates a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def left_over(folder: Path) -> list[Path]:
    """Files in a cache that are neither whole downloads nor the cache's own notes."""
    return [path for path in folder.rglob("*") if path.is_file() and "incomplete" in path.name]


def one_line(error) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


def test_a_model_is_fetched_with_its_tokenizer_and_nothing_else(local_hub, bloom):
    contents = {path.name: path.read_bytes() for path in bloom.iterdir()}
    local_hub.add("someone/tiny", contents | {"README.md": b"#", "modeling_tiny.py": b"raise SystemExit"})
    folder = fetch_model("someone/tiny")
    assert {path.name for path in folder.iterdir()} == {"config.json", "generation_config.json", WEIGHTS}
    hub_models.fetch_tokenizer("someone/tiny")
    assert not {"README.md", "modeling_tiny.py"} & {path.name for path in folder.iterdir()}
    assert AutoModelForCausalLM.from_pretrained(folder).config.model_type == "bloom"
    assert AutoTokenizer.from_pretrained(folder)("On Monday.").input_ids


def test_each_revision_has_its_own_weights(local_hub, bloom, tmp_path):
    local_hub.add("someone/tiny", bloom, "global_step1000")
    local_hub.add("someone/tiny", save_tiny("bloom", tmp_path / "other", seed=1), "global_step2000")
    first, second = (fetch_model("someone/tiny", f"global_step{step}000") for step in (1, 2))
    assert (first / WEIGHTS).read_bytes() == (bloom / WEIGHTS).read_bytes() != (second / WEIGHTS).read_bytes()


def test_a_second_look_downloads_nothing(local_hub, bloom):
    local_hub.add("someone/tiny", bloom)
    fetch_model("someone/tiny")
    fetch_model("someone/tiny")
    assert len(local_hub.downloads(WEIGHTS)) == 1


def test_what_is_in_the_cache_is_read_without_a_network(local_hub, bloom, caplog):
    local_hub.add("someone/tiny", bloom, "step100")
    folder = fetch_model("someone/tiny", "step100")
    local_hub.stop()
    assert fetch_model("someone/tiny", "step100") == folder
    assert "from the cache" in caplog.text


def test_without_a_network_the_message_says_what_needs_none(local_hub):
    local_hub.stop()
    with pytest.raises(ConnectionError) as error:
        fetch_model("someone/tiny")
    assert "cannot reach the Hub" in one_line(error) and "lab/bloom-m" in str(error.value)


def test_a_gated_repository_says_where_to_ask_and_how_to_log_in(local_hub, bloom, tmp_path):
    local_hub.add("meta-llama/Llama-2-7b-hf", bloom, gated=True)
    with pytest.raises(PermissionError) as error:
        fetch_model("meta-llama/Llama-2-7b-hf")
    assert f"{local_hub.url}/meta-llama/Llama-2-7b-hf" in one_line(error)
    assert "hf auth login" in str(error.value) and "HF_TOKEN" in str(error.value)
    assert left_over(tmp_path) == []


def test_a_token_without_access_is_told_so_and_one_with_access_reads(local_hub, bloom, monkeypatch):
    local_hub.add("meta-llama/Llama-2-7b-hf", bloom, gated=True)
    monkeypatch.setenv("HF_TOKEN", "hf_me")
    with pytest.raises(PermissionError, match="the token in use has no access yet"):
        fetch_model("meta-llama/Llama-2-7b-hf")
    local_hub.members.add("hf_me")
    assert (fetch_model("meta-llama/Llama-2-7b-hf") / WEIGHTS).is_file()


def test_an_unknown_repository_names_the_nearest(local_hub):
    for size in ("560m", "1b1"):
        local_hub.add(f"bigscience/bloom-{size}", {"config.json": b"{}"})
    with pytest.raises(FileNotFoundError) as error:
        hub.look_up("bigscience/bloom-560")
    assert "no model 'bigscience/bloom-560'" in one_line(error) and "bloom-560m" in str(error.value)


def test_a_malformed_name_is_refused(local_hub):
    with pytest.raises(ValueError, match="owner/name"):
        hub.look_up("a/b/c")


def test_an_unknown_revision_names_the_nearest_steps(local_hub):
    for step in range(1000, 40000, 1000):
        local_hub.add("someone/tiny", {"config.json": b"{}"}, f"global_step{step}")
    with pytest.raises(FileNotFoundError) as error:
        hub.look_up("someone/tiny", "global_step10500")
    assert "no revision 'global_step10500'" in one_line(error)
    assert (
        "the nearest of 39 are global_step9000, global_step10000, global_step11000, global_step12000"
        in str(error.value)
    )


def test_a_main_without_a_model_names_the_checkpoints(local_hub):
    local_hub.add("HuggingFaceTB/SmolLM3-3B-checkpoints", {"README.md": b"#"})
    local_hub.add("HuggingFaceTB/SmolLM3-3B-checkpoints", {"config.json": b"{}"}, "stage1-step-40000")
    with pytest.raises(FileNotFoundError, match=r"holds no model .* there is stage1-step-40000"):
        fetch_model("HuggingFaceTB/SmolLM3-3B-checkpoints")


def test_a_repository_without_weights_says_what_it_has(local_hub):
    local_hub.add("someone/tiny", {"config.json": b"{}", "model.gguf": b"0"})
    with pytest.raises(FileNotFoundError, match=r"no weights that can be read.*model\.gguf"):
        fetch_model("someone/tiny")


def test_a_checkpoint_without_tokenizer_takes_that_of_main(local_hub, bloom, caplog):
    local_hub.add("someone/tiny", bloom)
    local_hub.add("someone/tiny", {"config.json": b"{}"}, "step100")
    assert (hub_models.fetch_tokenizer("someone/tiny", "step100") / "tokenizer.json").is_file()
    assert "step100 has no tokenizer" in caplog.text


def test_no_tokenizer_anywhere_says_where_to_name_one(local_hub):
    local_hub.add("someone/tiny", {"config.json": b"{}"}, "step100")
    with pytest.raises(FileNotFoundError) as error:
        hub_models.fetch_tokenizer("someone/tiny", "step100")
    assert "has no tokenizer" in one_line(error) and "TOKENIZERS" in str(error.value)


def test_sharded_weights_are_fetched_by_their_index(local_hub, bloom, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(bloom)
    model.save_pretrained(tmp_path / "shards", max_shard_size="40KB")
    local_hub.add("someone/tiny", tmp_path / "shards")
    folder = fetch_model("someone/tiny")
    assert len(hub_models.weight_files(hub.look_up("someone/tiny"))) > 1
    loaded = AutoModelForCausalLM.from_pretrained(folder)
    assert all(map(torch.equal, model.parameters(), loaded.parameters()))


def test_a_missing_shard_is_named(local_hub):
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    local_hub.add("someone/tiny", {"config.json": b"{}", f"{WEIGHTS}.index.json": json.dumps(index).encode()})
    with pytest.raises(FileNotFoundError, match=r"model-00001-of-00002\.safetensors, which is not there"):
        fetch_model("someone/tiny")


# -- downloads that go wrong


def test_a_download_cut_off_half_way_is_resumed(local_hub, bloom, tmp_path):
    local_hub.add("someone/tiny", bloom)
    local_hub.cut[WEIGHTS] = 1
    folder = fetch_model("someone/tiny")
    half = (bloom / WEIGHTS).stat().st_size // 2
    assert local_hub.downloads(WEIGHTS) == [None, f"bytes={half // 1024 * 1024}-"]
    assert (folder / WEIGHTS).read_bytes() == (bloom / WEIGHTS).read_bytes()


def test_a_truncated_file_is_never_taken_for_whole(local_hub, bloom, tmp_path):
    local_hub.add("someone/tiny", bloom)
    local_hub.shrunk.add(WEIGHTS)
    with pytest.raises(ConnectionError, match="broke off") as error:
        fetch_model("someone/tiny")
    assert "run again" in one_line(error)
    assert left_over(tmp_path) == [] and not list(tmp_path.rglob(WEIGHTS))
    local_hub.shrunk.clear()
    assert (fetch_model("someone/tiny") / WEIGHTS).stat().st_size == (bloom / WEIGHTS).stat().st_size


def test_a_file_truncated_in_the_cache_is_fetched_again(local_hub, bloom):
    local_hub.add("someone/tiny", bloom)
    weights = fetch_model("someone/tiny") / WEIGHTS
    os.truncate(weights, 100)
    assert (fetch_model("someone/tiny") / WEIGHTS).read_bytes() == (bloom / WEIGHTS).read_bytes()


def test_a_file_whose_content_is_not_what_was_announced_is_refused(local_hub, bloom, tmp_path):
    local_hub.add("someone/tiny", bloom)
    local_hub.damaged.add(WEIGHTS)
    with pytest.raises(OSError, match="hash differs") as error:
        fetch_model("someone/tiny")
    assert "removed" in one_line(error) and not list(tmp_path.rglob(WEIGHTS))


def test_a_full_disk_is_seen_before_anything_is_downloaded(local_hub, bloom, monkeypatch):
    local_hub.add("someone/tiny", bloom)
    repository = hub.look_up("someone/tiny")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(hub.shutil, "disk_usage", lambda _: usage(10**9, 10**9, 1000))
    with pytest.raises(OSError, match=r"needs 0\.00 GB and 0\.00 GB are free") as error:
        hub.fetch(repository, [WEIGHTS])
    assert error.value.errno == errno.ENOSPC and "HF_HOME" in one_line(error)
    assert local_hub.downloads(WEIGHTS) == []


def test_a_disk_that_fills_up_on_the_way_says_so(local_hub, bloom, monkeypatch, tmp_path):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    local_hub.add("someone/tiny", bloom)
    monkeypatch.setattr(huggingface_hub.file_download, "http_get", full)
    with pytest.raises(OSError, match="filled up") as error:
        fetch_model("someone/tiny")
    assert error.value.errno == errno.ENOSPC and "make room" in one_line(error)
    assert left_over(tmp_path) == []


# -- pickled weights


def test_pickled_weights_are_converted_once_and_said_so(local_hub, bloom, pickled_bloom, caplog):
    local_hub.add("bigscience/bloom-560m-intermediate", pickled_bloom, "global_step1000")
    with caplog.at_level(logging.WARNING):
        folder = fetch_model("bigscience/bloom-560m-intermediate", "global_step1000")
        again = fetch_model("bigscience/bloom-560m-intermediate", "global_step1000")
    assert folder == again and caplog.text.count("pickled weights only") == 1
    assert not list(folder.glob("*.bin"))
    theirs, ours = load_file(bloom / WEIGHTS), load_file(folder / WEIGHTS)
    assert theirs.keys() == ours.keys() and all(torch.equal(theirs[name], ours[name]) for name in ours)
    assert AutoModelForCausalLM.from_pretrained(folder).config.model_type == "bloom"


def test_pickled_shards_and_tied_weights_come_through(local_hub, bloom, tmp_path):
    tensors = load_file(bloom / WEIGHTS)
    shared = next(iter(tensors))
    tensors["tied"] = tensors[shared]
    halves = [dict(list(tensors.items())[i::2]) for i in (0, 1)]
    names = [f"pytorch_model-0000{i}-of-00002.bin" for i in (1, 2)]
    for half, name in zip(halves, names, strict=True):
        torch.save(half, tmp_path / name)
    index = {"weight_map": {key: name for half, name in zip(halves, names, strict=True) for key in half}}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    shutil.copy(bloom / "config.json", tmp_path)
    contents = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    local_hub.add("someone/tiny", contents)
    folder = fetch_model("someone/tiny")
    ours = load_file(folder / "model-00001-of-00002.safetensors") | load_file(
        folder / "model-00002-of-00002.safetensors"
    )
    assert ours.keys() == tensors.keys() and all(torch.equal(tensors[name], ours[name]) for name in ours)


@pytest.mark.parametrize("written", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_a_malicious_pickle_is_refused_and_does_not_run(local_hub, bloom, tmp_path, written):
    evidence = tmp_path / "it_ran"
    written({"weight": Payload(evidence)}, tmp_path / "pytorch_model.bin")
    contents = {"config.json": (bloom / "config.json").read_bytes()}
    local_hub.add(
        "evil/model", contents | {"pytorch_model.bin": (tmp_path / "pytorch_model.bin").read_bytes()}
    )
    with pytest.raises(ValueError, match="weights-only loader refuses") as error:
        fetch_model("evil/model")
    assert "nothing of it was run" in one_line(error)
    assert not evidence.exists()
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_damaged_pickle_is_named(local_hub, pickled_bloom):
    contents = {path.name: path.read_bytes() for path in pickled_bloom.iterdir()}
    contents["pytorch_model.bin"] = contents["pytorch_model.bin"][:2000]
    local_hub.add("someone/tiny", contents)
    with pytest.raises(ValueError, match=r"pytorch_model\.bin") as error:
        fetch_model("someone/tiny")
    one_line(error)


def test_equal_weights_have_equal_fingerprints_without_a_download(local_hub, bloom, tmp_path):
    local_hub.add("someone/tiny", bloom, "step100")
    local_hub.add(
        "someone/tiny", {path.name: path.read_bytes() for path in bloom.iterdir()} | {"a": b""}, "step200"
    )
    local_hub.add("someone/tiny", save_tiny("bloom", tmp_path / "other", seed=1), "step300")
    prints = [
        hub_models.weights_fingerprint(hub.look_up("someone/tiny", f"step{step}")) for step in (100, 200, 300)
    ]
    assert prints[0] == prints[1] != prints[2]
    assert local_hub.downloads(WEIGHTS) == []


# -- the whole way to a loaded model


def test_an_intermediate_bloom_loads_with_the_final_models_tokenizer(local_hub, bloom, pickled_bloom):
    local_hub.add("bigscience/bloom-560m", bloom)
    local_hub.add("bigscience/bloom-560m-intermediate", pickled_bloom, "global_step1000")
    loaded = load_model("bigscience/bloom-560m-intermediate", "global_step1000")
    assert (loaded.model_id, loaded.revision) == ("bigscience/bloom-560m-intermediate", "global_step1000")
    assert loaded.tokenizer("On Monday.").input_ids
    torch.testing.assert_close(loaded.model.state_dict(), load_model(str(bloom)).model.state_dict())
    assert local_hub.downloads(WEIGHTS) == []


def test_an_architecture_is_refused_before_its_weights_are_downloaded(local_hub, bloom):
    contents = {path.name: path.read_bytes() for path in bloom.iterdir()}
    contents["config.json"] = json.dumps({"model_type": "mixtral", "num_local_experts": 8}).encode()
    local_hub.add("mistralai/Mixtral", contents)
    with pytest.raises(ValueError, match="mixture of experts"):
        load_model("mistralai/Mixtral")
    assert local_hub.downloads(WEIGHTS) == []


def test_a_tokenizer_of_another_model_is_refused_before_the_weights_are_downloaded(local_hub, tmp_path):
    local_hub.add("someone/tiny", save_tiny("llama", tmp_path / "small", vocab_size=200))
    with pytest.raises(ValueError, match="tokens of its tokenizer are beyond the 200 rows") as error:
        load_model("someone/tiny")
    assert "TOKENIZERS" in one_line(error)
    assert local_hub.downloads(WEIGHTS) == []


def test_too_little_gpu_memory_is_seen_before_the_weights_are_downloaded(local_hub, bloom, monkeypatch):
    local_hub.add("someone/tiny", bloom)
    monkeypatch.setattr(devices, "free_memory", lambda device: [10**6])
    with pytest.raises(MemoryError, match=r"someone/tiny at main in float32 needs 1\.0 GB") as error:
        load_model("someone/tiny")
    assert "0.0 GB are free" in one_line(error)
    assert local_hub.downloads(WEIGHTS) == []


def test_a_model_is_spread_by_accelerate_where_asked(local_hub, bloom):
    local_hub.add("someone/tiny", bloom)
    loaded = load_model("someone/tiny", device="auto")
    torch.testing.assert_close(loaded.model.state_dict(), load_model(str(bloom)).model.state_dict())


def test_a_model_here_and_on_the_hub_have_the_same_fingerprint(local_hub, bloom):
    local_hub.add("someone/tiny", bloom)
    assert weights_fingerprint("someone/tiny") == weights_fingerprint(str(bloom))


def test_three_revisions_are_measured_by_one_batch_command(local_hub, tmp_path):
    revisions = [f"global_step{step}" for step in (1000, 10000, 100000)]
    for seed, revision in enumerate(revisions):
        local_hub.add("someone/tiny", save_tiny("bloom", tmp_path / revision, seed), revision)
    text = tmp_path / "text"
    text.mkdir()
    for code, sentences in zip(LANGUAGES, TEXTS, strict=True):
        (text / f"{code}.txt").write_text("\n".join(sentences) + "\n", encoding="utf-8")
    sheet = tmp_path / "three.csv"
    rows = "".join(f"someone/tiny,{revision},{text}\n" for revision in revisions)
    sheet.write_text("model_id,revision,corpus\n" + rows)
    done = subprocess.run(
        ["make", "--no-print-directory", "results", f"RUNS={sheet}", f"RESULTS={tmp_path / 'results'}"],
        cwd=ROOT,
        env=os.environ | {"HF_ENDPOINT": local_hub.url, "HF_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    folders = [tmp_path / "results" / "text" / "someone--tiny" / revision for revision in revisions]
    assert all((folder / "manifest.json").is_file() for folder in folders)
    steps = {pd.read_parquet(next(folder.glob("similarity.parquet"))).lrds.iloc[0] for folder in folders}
    assert len(steps) == 3
