"""Read from the Hugging Face Hub: the one place that does, and that says in one line what went wrong.

What is read lies in the Hub's own cache afterwards, and is read from there where there is no network. A file
is taken for whole only when its size and its hash are what the Hub says. Code is never fetched.
"""

import difflib
import errno
import hashlib
import json
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import huggingface_hub as hf
from huggingface_hub import constants, errors

from lingua_utils import files

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class HubFile:
    """A file of a repository as the Hub announces it.

    Attributes
    ----------
    size : int or None
        In bytes.
    digest : str or None
        SHA-256 of a large file; of a small one the SHA-1 that git names it by.
    """

    size: int | None
    digest: str | None


@dataclass(frozen=True)
class Repository:
    """A repository at one revision: what is in it, before anything is downloaded.

    Attributes
    ----------
    repo_id, revision : str
        As asked for.
    commit : str
        What the revision stands for now.
    files : dict of str to HubFile
        By path.
    kind : {"model", "dataset"}
    """

    repo_id: str
    revision: str
    commit: str
    files: dict[str, HubFile]
    kind: str = "model"

    def __str__(self) -> str:
        return f"{self.repo_id} at {self.revision}"


def look_up(repo_id: str, revision: str = "main", kind: str = "model") -> Repository:
    """What a repository holds at a revision; without a network, what the cache holds of it.

    Raises
    ------
    FileNotFoundError
        For an unknown repository or revision; the message names the nearest that there are.
    PermissionError
        For a gated or private one; the message says how to ask and how to log in.
    ConnectionError
        If the Hub cannot be reached and the cache has nothing of it.
    ValueError
        For what is no name of a repository.
    """
    try:
        with explained(repo_id, revision, kind):
            info = hf.HfApi().repo_info(repo_id, revision=revision, repo_type=kind, files_metadata=True)
    except ConnectionError as error:
        cached = _cached(repo_id, revision, kind)
        if cached is None:
            raise
        logger.warning("%s; reading %s at %s from the cache", error, repo_id, revision)
        return cached
    listed = {
        file.rfilename: HubFile(file.size, file.lfs.sha256 if file.lfs else file.blob_id)
        for file in info.siblings or ()
    }
    return Repository(repo_id, revision, info.sha, listed, kind)


def _cached(repo_id: str, revision: str, kind: str) -> Repository | None:
    try:
        found = hf.snapshot_download(repo_id, revision=revision, repo_type=kind, local_files_only=True)
    except errors.LocalEntryNotFoundError as error:
        found = getattr(error, "snapshot_path", None)
    if found is None:
        return None
    folder = Path(found)
    paths = [path for path in folder.rglob("*") if path.is_file()]
    listed = {path.relative_to(folder).as_posix(): _cached_file(path) for path in paths}
    return Repository(repo_id, revision, folder.name, listed, kind)


def _cached_file(path: Path) -> HubFile:
    """A file of the cache, which is a link to a blob named by its digest wherever there are links."""
    blob = path.resolve()
    digest = blob.name if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", blob.name) else None
    return HubFile(blob.stat().st_size, digest)


def revisions(repo_id: str, kind: str = "model") -> list[str]:
    """Names of a repository's branches and tags; none where the Hub does not tell."""
    try:
        refs = hf.HfApi().list_repo_refs(repo_id, repo_type=kind)
    except (errors.HTTPError, OSError):
        return []
    return [ref.name for ref in [*refs.branches, *refs.tags]] + [ref.ref for ref in refs.converts]


def fetch(repository: Repository, names: Sequence[str], extra: int = 0) -> Path:
    """Download files where the cache lacks them; returns the folder that they are in, under their own paths.

    A download that breaks off is taken up again where it stopped. ``extra`` is the room, in bytes, that will
    be needed beside the files.

    Raises
    ------
    OSError
        With ``errno.ENOSPC`` if the disk has no room, before anything is downloaded. For a file that did not
        arrive whole; nothing of it is left.
    FileNotFoundError, PermissionError, ConnectionError
        As :func:`look_up`.
    """
    cached = {name: _in_cache(repository, name) for name in names}
    missing = [name for name, path in cached.items() if path is None]
    cache = Path(constants.HF_HUB_CACHE)
    way_out = "make room (`hf cache ls` shows what is there) or set HF_HOME to a folder on a larger disk"
    files.check_room(cache, size(repository, missing) + extra, str(repository), way_out)
    for name in missing:
        with explained(repository.repo_id, repository.revision, repository.kind):
            path = Path(
                hf.hf_hub_download(
                    repository.repo_id, name, repo_type=repository.kind, revision=repository.revision
                )
            )
        _verify(path, repository.files[name], f"{repository}: {name}")
        cached[name] = path
    name, path = next(iter(cached.items()))
    return path.parents[name.count("/")]


def _in_cache(repository: Repository, name: str) -> Path | None:
    """Path of a file in the cache; None if it is not there, and not of the size it should have."""
    found = hf.try_to_load_from_cache(
        repository.repo_id, name, revision=repository.commit, repo_type=repository.kind
    )
    if not isinstance(found, str):
        return None
    path = Path(found)
    if repository.files[name].size not in (None, path.stat().st_size):
        _discard(path)
        return None
    return path


def _verify(path: Path, expected: HubFile, what: str) -> None:
    size = path.stat().st_size
    if expected.size not in (None, size):
        _discard(path)
        raise OSError(f"{what} arrived with {size:,} of {expected.size:,} bytes and was removed; run again")
    if expected.digest is not None and _digest(path, expected.digest) != expected.digest:
        _discard(path)
        raise OSError(f"{what} arrived damaged (its hash differs) and was removed; run again")


def _digest(path: Path, like: str) -> str:
    """Hash of a file: SHA-256, or git's SHA-1 where ``like`` is one."""
    if len(like) == 64:
        return files.sha256_of(path)
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size)
    digest.update(path.read_bytes())
    return digest.hexdigest()


def _discard(path: Path) -> None:
    """Remove a file from the cache, and what its link leads to."""
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def size(repository: Repository, names: Sequence[str]) -> int:
    """Size of files in bytes, as the Hub announces it."""
    return sum(repository.files[name].size or 0 for name in names)


# -- what went wrong


_OFFLINE = {
    "model": "without a network, use a lab model such as lab/bloom-m, or a folder",
    "dataset": "without a network, use the phrasebook, the world, or a folder of files",
}


# Not every version of the library that the package allows has this one.
_XET_ERROR = getattr(errors, "XetDownloadError", ConnectionResetError)


@contextmanager
def explained(repo_id: str, revision: str, kind: str) -> Iterator[None]:
    """Turn what the block raises into one line that names the way out."""
    try:
        yield
    except (OSError, ValueError, errors.HTTPError, errors.EntryNotFoundError, _XET_ERROR) as error:
        raise _explanation(_root(error), repo_id, revision, kind) from None


def _root(error: BaseException) -> BaseException:
    """What lies behind a file that is not in the cache: the failed request for it."""
    if isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__ is not None:
        return error.__cause__
    return error


def _explanation(error: BaseException, repo_id: str, revision: str, kind: str) -> BaseException:
    page = f"{constants.ENDPOINT}/{'datasets/' if kind == 'dataset' else ''}{repo_id}"
    login = "log in with `hf auth login` or set HF_TOKEN"
    status = getattr(getattr(error, "response", None), "status_code", None)
    reason = str(error).strip().partition("\n")[0].rstrip(" .") or type(error).__name__
    if isinstance(error, errors.GatedRepoError):
        refused = " (the token in use has no access yet)" if hf.get_token() else ""
        return PermissionError(f"{repo_id} is gated: ask for access at {page} and {login}{refused}")
    if isinstance(error, errors.RepositoryNotFoundError):
        return FileNotFoundError(
            f"there is no {kind} {repo_id!r} on the Hub{_similar(repo_id, kind)}; if it is private, {login}"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        known = revisions(repo_id, kind)
        return FileNotFoundError(f"{repo_id} has no revision {revision!r}; {nearest(revision, known)}")
    if isinstance(error, errors.HFValidationError):
        return ValueError(f"{repo_id!r} is no name of a Hub repository, which is owner/name")
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        full = f"the disk of {constants.HF_HOME} filled up while reading {repo_id}"
        return OSError(errno.ENOSPC, f"{full}; make room or set HF_HOME to a folder on a larger disk")
    if status == 401:
        return PermissionError(f"the Hub does not accept the token in use; {login} anew")
    if status == 403:
        return PermissionError(f"the Hub refuses to show {repo_id} at {revision}; see {page}, and {login}")
    if status is not None:
        return ConnectionError(f"the Hub answers {status} for {repo_id} at {revision}; try again later")
    if "Consistency check" in reason or isinstance(error, _XET_ERROR) or _is_cut_off(error):
        return ConnectionError(
            f"reading {repo_id} at {revision} broke off; nothing half-read is kept; run again"
        )
    if isinstance(error, errors.FileMetadataError | json.JSONDecodeError):
        return ConnectionError(
            f"what answers at {constants.ENDPOINT} is no Hub; check HF_ENDPOINT and the proxy"
        )
    if isinstance(error, errors.HTTPError | ConnectionError | errors.LocalEntryNotFoundError):
        return ConnectionError(
            f"cannot reach the Hub at {constants.ENDPOINT} for {repo_id} ({reason}); {_OFFLINE[kind]}"
        )
    return error


def _is_cut_off(error: BaseException) -> bool:
    """Whether the other side hung up; told by name, since the HTTP library differs between versions."""
    return type(error).__name__ in ("RemoteProtocolError", "ReadError")


def _similar(repo_id: str, kind: str) -> str:
    """``"; there are ..."``: repositories of the same owner, or else of a like name."""
    owner, _, name = repo_id.rpartition("/")
    search = hf.HfApi().list_datasets if kind == "dataset" else hf.HfApi().list_models
    try:
        found = list(search(author=owner, limit=500)) or list(search(search=name, limit=50))
    except (errors.HTTPError, OSError, ValueError):
        return ""
    return f"; {nearest(repo_id, [repository.id for repository in found])}" if found else ""


# -- names of models and of their revisions


#: Revision of any model that stands for its untrained twin: its architecture, its weights freshly drawn.
UNTRAINED = "untrained"


def is_gguf(model_id: str) -> bool:
    """Whether a model is one GGUF file: a path, or ``"owner/repo/file.gguf"`` on the Hub."""
    return model_id.lower().endswith(".gguf")


def is_local(model_id: str) -> bool:
    """Whether a model is named by a path on this disk, not as the lab's, a package or on the Hub."""
    if model_id.startswith(("lab/", "pypi/")):
        return False
    paths = (Path(model_id).expanduser(), files.resolve(model_id))
    if model_id.startswith((".", "/", "~", "\\")) or any(path.is_dir() for path in paths):
        return True
    if is_gguf(model_id):
        return model_id.count("/") < 2 or any(path.is_file() for path in paths)
    return model_id.count("/") > 1


def check_model_name(model_id: str, revision: str = "main") -> None:
    """Refuse names that would lead out of where models and results lie, before anything is looked up.

    Raises
    ------
    ValueError
        In one line, with the name.
    """
    parts = model_id.replace("\\", "/").rstrip("/").split("/")
    if not model_id.strip() or parts[-1] in ("", ".", "..") or not model_id.isprintable():
        raise ValueError(
            f"model_id is {model_id!r}, which names no model; give lab/NAME, pypi/NAME, owner/name, or a path"
        )
    if model_id.startswith(("lab/", "pypi/")) and len(parts) != 2:
        kind, one = ("lab", "a model of the lab") if parts[0] == "lab" else ("pypi", "a packaged model")
        raise ValueError(f"model_id is {model_id!r}; {one} is named {kind}/NAME")
    parts = revision.replace("\\", "/").split("/")
    if (
        not revision.isprintable()
        or ":" in revision
        or any(part.strip() in ("", ".", "..") for part in parts)
    ):
        raise ValueError(f"revision is {revision!r}, which names no branch, tag or checkpoint; main is one")


_SCALE = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


class Progress(NamedTuple):
    """How far a checkpoint was trained: its step, and the tokens it has seen; None where unknown."""

    step: int | None
    tokens: int | None


def progress(revision: str) -> Progress:
    """Training step and tokens seen, as far as a revision's name tells them; both 0 of what is untrained.

    Examples
    --------
    >>> progress("step50000-tokens210B")
    Progress(step=50000, tokens=210000000000)
    >>> [progress(name).step for name in ("step000600", "global_step1000", "stage1-step-40000", "main")]
    [600, 1000, 40000, None]
    """
    if revision == UNTRAINED:
        return Progress(0, 0)
    return Progress(
        _number(r"(?:step|checkpoint)[-_]?(\d+)([km]?)(?![a-z])", revision),
        _number(r"tokens?[-_]?(\d+(?:\.\d+)?)([kmbt]?)(?![a-z])", revision),
    )


def training_order(revision: str) -> tuple:
    """Sorts revisions by training step; those whose names tell none come last, by name.

    Examples
    --------
    >>> sorted(["main", "step1000", "step32"], key=training_order)
    ['step32', 'step1000', 'main']
    """
    step = progress(revision).step
    return step is None, step or 0, revision


def _number(pattern: str, revision: str) -> int | None:
    found = re.search(pattern, revision, re.IGNORECASE)
    return round(float(found[1]) * _SCALE[found[2].upper()]) if found else None


def nearest(name: str, known: Sequence[str]) -> str:
    """What there is instead of ``name``, as the end of a message.

    All of it where it is little; else the names of the nearest training steps, or those spelled most alike.

    Examples
    --------
    >>> nearest("step700", [f"step{100 * i}" for i in range(20) if i != 7])
    'the nearest of 19 are step500, step600, step800, step900'
    """
    if not known:
        return "there is none"
    if len(known) <= 12:
        return f"there {'is' if len(known) == 1 else 'are'} {', '.join(known)}"
    step = progress(name).step
    stepped = [other for other in known if progress(other).step is not None]
    if step is None or not stepped:
        near = difflib.get_close_matches(name, known, 4, cutoff=0)
    else:
        near = sorted(stepped, key=lambda other: abs(progress(other).step - step))[:4]
        near.sort(key=lambda other: progress(other).step)
    return f"the nearest of {len(known)} are {', '.join(near)}"
