"""Where the project's files live, how they are written (whole or not at all), and what their code says."""

import ast
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SHIPPED = Path(__file__).parent / "shipped"
CHECKOUT = Path(__file__).resolve().parent.parent


def home() -> Path:
    """Folder that relative paths (``results``, ``checkpoints``, ``runs``) are resolved against.

    ``LINGUA_HOME`` where that is set; else the nearest folder at or above the working directory that holds
    the book's ``_toc.yml``, so that a notebook finds the same files whether papermill or pytest started it;
    elsewhere (a fresh Colab) the working directory itself.
    """
    if chosen := os.environ.get("LINGUA_HOME"):
        return Path(chosen).absolute()
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "_toc.yml").is_file()), here)


def resolve(path: str | Path) -> Path:
    """An absolute path as it is, a relative one from :func:`home`."""
    return home() / Path(path).expanduser()


def find(path: str | Path) -> Path:
    """As :func:`resolve`; where nothing is there, the copy that comes with the package, if there is one.

    An installed package brings the sample sheets (``runs/``) and the published tables (``book/published/``),
    so that a notebook opened alone has them; a checkout holds them itself, wherever ``LINGUA_HOME`` is.
    """
    here, path = resolve(path), Path(path)
    brought = path.parts[:1] in (("runs",), ("book",))
    return next((at for at in (here, SHIPPED / path, CHECKOUT / path) if brought and at.exists()), here)


@contextmanager
def writing(path: str | Path, folder: bool = False) -> Iterator[Path]:
    """Write a file or a folder whole or not at all.

    Yields a temporary path beside ``path`` (an existing empty folder with ``folder=True``). When the block
    ends it takes the place of ``path``, replacing what was there; when the block raises it is removed.

    Examples
    --------
    >>> with writing("table.parquet") as temporary:  # doctest: +SKIP
    ...     frame.to_parquet(temporary)
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    temporary = scratch / path.name
    try:
        if folder:
            temporary.mkdir()
        yield temporary
        if folder and path.exists():
            os.replace(path, scratch / "replaced")
        os.replace(temporary, path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def data_folder() -> Path:
    """Where published text lies: ``LINGUA_DATA``, or ``data`` in the project."""
    return resolve(os.environ.get("LINGUA_DATA", "data"))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_room(folder: Path, needed: int, what: str, way_out: str) -> None:
    """Raise unless the disk of a folder, which need not exist yet, has room for so many bytes.

    Raises
    ------
    OSError
        With ``errno.ENOSPC``; the message says what is needed and free, and ends with the way out.
    """
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        lacking = f"{what} needs {needed / 1e9:.2f} GB and {free / 1e9:.2f} GB are free in {folder}"
        raise OSError(errno.ENOSPC, f"{lacking}; {way_out}")


def bare(tree: ast.AST) -> ast.AST:
    """A syntax tree without docstrings; unparsed it has no comments either, and one layout."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str):
                node.body = node.body[1:] or [ast.Pass()]
    return tree


def source_digest(path: str | Path) -> str:
    """Hash of what a module does: of its source, comments, docstrings and layout aside."""
    source = ast.unparse(bare(ast.parse(Path(path).read_text(encoding="utf-8"))))
    return hashlib.sha256(source.encode()).hexdigest()[:16]
