"""The Hub, spoken to over its real protocol on this machine, and each of its failures."""

import errno
import io
import json
import logging
import os
import pickle
import re
import shutil
import subprocess
from collections import namedtuple
from pathlib import Path

import huggingface_hub
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from tiny_models import LANGUAGES, TEXTS, save_tiny
from transformers import AutoModelForCausalLM, AutoTokenizer

from lingua_utils import hub
from lingua_utils.hub import nearest, progress
from lingua_utils.models import devices, loading
from lingua_utils.models.loading import fingerprints, load_model

ROOT = Path(__file__).resolve().parent.parent
WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def bloom(tmp_path_factory) -> Path:
    return save_tiny("bloom", tmp_path_factory.mktemp("bloom"))


@pytest.fixture(scope="module")
def pickled_bloom(bloom, tmp_path_factory) -> Path:
    """The same model as BLOOM's intermediate checkpoints may be: pickled weights, no tokenizer."""
    folder = tmp_path_factory.mktemp("pickled")
    shutil.copy(bloom / "config.json", folder)
    (folder / "pytorch_model.bin").write_bytes(pickled(load_file(bloom / WEIGHTS)))
    return folder


def fetch_model(model_id: str, revision: str = "main") -> Path:
    return loading.fetch_model(hub.look_up(model_id, revision))


def pickled(value) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


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
    loading.fetch_tokenizer("someone/tiny")
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
    with pytest.raises(FileNotFoundError, match=r"no readable weights.*model\.gguf"):
        fetch_model("someone/tiny")


def test_a_checkpoint_without_tokenizer_takes_that_of_main(local_hub, bloom, caplog):
    local_hub.add("someone/tiny", bloom)
    local_hub.add("someone/tiny", {"config.json": b"{}"}, "step100")
    assert (loading.fetch_tokenizer("someone/tiny", "step100") / "tokenizer.json").is_file()
    assert "step100 has no tokenizer" in caplog.text


def test_no_tokenizer_anywhere_says_where_to_name_one(local_hub):
    local_hub.add("someone/tiny", {"config.json": b"{}"}, "step100")
    with pytest.raises(FileNotFoundError) as error:
        loading.fetch_tokenizer("someone/tiny", "step100")
    assert "has no tokenizer" in one_line(error) and "TOKENIZERS" in str(error.value)


def test_sharded_weights_are_fetched_by_their_index(local_hub, bloom, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(bloom)
    model.save_pretrained(tmp_path / "shards", max_shard_size="40KB")
    local_hub.add("someone/tiny", tmp_path / "shards")
    folder = fetch_model("someone/tiny")
    assert len(loading.weight_files(hub.look_up("someone/tiny"))) > 1
    loaded = AutoModelForCausalLM.from_pretrained(folder)
    assert all(map(torch.equal, model.parameters(), loaded.parameters()))


def test_a_missing_shard_is_named(local_hub):
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    local_hub.add("someone/tiny", {"config.json": b"{}", f"{WEIGHTS}.index.json": json.dumps(index).encode()})
    with pytest.raises(FileNotFoundError, match=r"model-00001-of-00002\.safetensors, which is not there"):
        fetch_model("someone/tiny")


# -- names


@pytest.mark.parametrize(
    "model_id", ["", " ", ".", "..", "./", "x/..", "/", "a\\..", "lab/", "lab/..", "lab/a/b", "a\nb"]
)
def test_a_name_that_leads_out_of_where_models_lie_is_refused(model_id):
    with pytest.raises(ValueError, match="model_id is") as error:
        hub.check_model_name(model_id)
    assert repr(model_id) in one_line(error)


@pytest.mark.parametrize(
    "revision", ["", ".", "..", "/etc/passwd", "../../x", "a//b", "a/../b", "..\\x", "C:/x"]
)
def test_a_revision_that_leads_out_of_a_models_folder_is_refused(revision):
    with pytest.raises(ValueError, match="revision is") as error:
        load_model("someone/tiny", revision)
    assert repr(revision) in one_line(error)


@pytest.mark.parametrize(
    "name",
    [("lab/bloom-m", "step000600"), ("/data/nt.v1", "main"), ("someone/tiny", "refs/pr/1"), ("gpt2", "v1.0")],
)
def test_names_of_models_and_revisions_pass(name):
    hub.check_model_name(*name)


@pytest.mark.parametrize(
    ("revision", "step", "tokens"),
    [
        ("global_step100000", 100_000, None),
        ("step50000-tokens210B", 50_000, 210 * 10**9),
        ("step2627139-tokens15T", 2_627_139, 15 * 10**12),
        ("stage1-step150-tokens1B", 150, 10**9),
        ("stage1-step-3440000", 3_440_000, None),
        ("step0753851", 753_851, None),
        ("step_20k", 20_000, None),
        ("step000600", 600, None),
        ("global_step1000", 1000, None),
        ("stage1-step-40000", 40_000, None),
        ("stage1-step1413814-tokens5930B", 1_413_814, 5930 * 10**9),
        ("step0005000", 5000, None),
        ("step143000", 143_000, None),
        ("checkpoint-500", 500, None),
        ("step0", 0, None),
        ("stage2", None, None),
        ("main", None, None),
        ("v1.0", None, None),
    ],
)
def test_step_and_tokens_are_read_from_the_name(revision, step, tokens):
    assert progress(revision) == (step, tokens)


def test_little_is_listed_whole():
    assert nearest("step7", ["main", "step1"]) == "there are main, step1"
    assert nearest("step7", ["main"]) == "there is main"
    assert nearest("step7", []) == "there is none"


def test_the_numerically_nearest_steps_are_named_in_order():
    known = ["main", *(f"step{1000 * i}" for i in range(1, 30))]
    assert nearest("step10400", known) == "the nearest of 30 are step9000, step10000, step11000, step12000"


def test_without_a_step_the_most_alike_names_are_named():
    known = [f"model-{letter}" for letter in "abcdefghijklm"] + ["bloom-560m"]
    assert nearest("bloom-560", known).startswith("the nearest of 14 are bloom-560m")


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
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 1000))
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


def test_pickled_weights_are_read_by_the_weights_only_loader_and_said_so(local_hub, bloom, caplog):
    contents = {path.name: path.read_bytes() for path in bloom.iterdir() if path.name != WEIGHTS}
    local_hub.add("someone/tiny", contents | {"pytorch_model.bin": pickled(load_file(bloom / WEIGHTS))})
    with caplog.at_level(logging.WARNING):
        loaded = load_model("someone/tiny")
    assert "weights-only loader reads its pickled weights" in caplog.text
    torch.testing.assert_close(loaded.model.state_dict(), load_model(str(bloom)).model.state_dict())


def test_pickled_shards_and_tied_weights_come_through(local_hub, bloom):
    tensors = load_file(bloom / WEIGHTS)
    embedding = next(name for name in tensors if name.endswith("word_embeddings.weight"))
    tensors["lm_head.weight"] = tensors[embedding]
    contents = {path.name: path.read_bytes() for path in bloom.iterdir() if path.name != WEIGHTS}
    weight_map = {}
    for i in (1, 2):
        name = f"pytorch_model-0000{i}-of-00002.bin"
        shard = dict(list(tensors.items())[i - 1 :: 2])
        contents[name] = pickled(shard)
        weight_map |= dict.fromkeys(shard, name)
    contents["pytorch_model.bin.index.json"] = json.dumps({"metadata": {}, "weight_map": weight_map}).encode()
    local_hub.add("someone/tiny", contents)
    loaded = load_model("someone/tiny").model
    torch.testing.assert_close(loaded.state_dict(), load_model(str(bloom)).model.state_dict())


@pytest.mark.parametrize("written", [lambda value: pickled(value), pickle.dumps], ids=["zip", "plain"])
def test_a_pickle_that_holds_more_than_tensors_is_refused_and_does_not_run(
    local_hub, bloom, tmp_path, written
):
    evidence = tmp_path / "it_ran"
    contents = {path.name: path.read_bytes() for path in bloom.iterdir() if path.name != WEIGHTS}
    local_hub.add("evil/model", contents | {"pytorch_model.bin": written({"weight": Payload(evidence)})})
    with pytest.raises(ValueError, match=r"weights-only loader refuses pytorch_model\.bin") as error:
        load_model("evil/model")
    assert "nothing of it was run" in one_line(error)
    assert not evidence.exists()


@pytest.mark.parametrize("name", [WEIGHTS, "pytorch_model.bin"])
@pytest.mark.parametrize("n_bytes", [0, 2000])
def test_weights_that_were_published_damaged_are_named(local_hub, bloom, name, n_bytes):
    contents = {path.name: path.read_bytes() for path in bloom.iterdir()}
    whole = contents.pop(WEIGHTS)
    whole = whole if name == WEIGHTS else pickled(load_file(bloom / WEIGHTS))
    local_hub.add("someone/tiny", contents | {name: whole[:n_bytes]})
    with pytest.raises(ValueError, match=rf"someone/tiny at main: {re.escape(name)} is damaged") as error:
        load_model("someone/tiny")
    one_line(error)


# -- identity


def test_equal_weights_have_equal_fingerprints_without_a_download(local_hub, bloom, tmp_path):
    local_hub.add("someone/tiny", bloom, "step100")
    local_hub.add(
        "someone/tiny", {path.name: path.read_bytes() for path in bloom.iterdir()} | {"a": b""}, "step200"
    )
    local_hub.add("someone/tiny", save_tiny("bloom", tmp_path / "other", seed=1), "step300")
    prints = [fingerprints("someone/tiny", f"step{step}")["weights"] for step in (100, 200, 300)]
    assert prints[0] == prints[1] != prints[2]
    assert local_hub.downloads(WEIGHTS) == []


def test_a_model_here_and_on_the_hub_have_the_same_fingerprint(local_hub, bloom):
    local_hub.add("someone/tiny", bloom)
    assert fingerprints("someone/tiny")["weights"] == fingerprints(str(bloom))["weights"]


def test_the_fingerprint_of_a_borrowed_tokenizer_is_that_of_its_repository(local_hub, bloom, pickled_bloom):
    local_hub.add("bigscience/bloom-560m", bloom)
    local_hub.add("bigscience/bloom-560m-intermediate", pickled_bloom, "global_step1000")
    final = fingerprints("bigscience/bloom-560m")
    checkpoint = fingerprints("bigscience/bloom-560m-intermediate", "global_step1000")
    assert checkpoint["tokenizer"] == final["tokenizer"] and checkpoint["config"] == final["config"]
    assert checkpoint["weights"] != final["weights"]


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
    (place,) = (tmp_path / "results").glob("text-*/someone--tiny")
    folders = [place / revision for revision in revisions]
    assert all((folder / "manifest.json").is_file() for folder in folders)
    steps = {pd.read_parquet(next(folder.glob("similarity.parquet"))).lrds.iloc[0] for folder in folders}
    assert len(steps) == 3
