"""What tests share: folders of their own, and the small book that `make small` builds before they start."""

import os
from dataclasses import dataclass
from pathlib import Path

import in_group
import pandas as pd
import pytest
from hypothesis import settings
from in_process import run_notebook
from local_hub import LocalHub
from xdist.scheduler import LoadScopeScheduling

from lingua_utils.runs import sheets

ROOT = Path(__file__).resolve().parent.parent

# The same examples in every run, and no clock: a busy machine is no bug.
settings.register_profile("book", deadline=None, derandomize=True)
settings.load_profile("book")


class ByFile(LoadScopeScheduling):
    """Side by side, the tests of one file stay together, and so do the files that read the small book."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        readers = ("test_book.py", "test_browser.py", "test_notebooks.py")
        return "small book" if file.endswith(readers) else file


def pytest_xdist_make_scheduler(config, log):
    return ByFile(config, log)


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory):
    """Nothing that a user has named by an environment variable is read or written by a test."""
    places = {
        "LINGUA_HOME": "home",
        "LINGUA_CHECKPOINTS": "checkpoints",
        "LINGUA_DATA": "data",
        "HF_HOME": "hub",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, place in places.items():
            patch.setenv(name, str(tmp_path_factory.mktemp(place)))
        yield


@pytest.fixture
def local_hub(monkeypatch, tmp_path):
    """A Hub of its own for each test, and an empty cache; nobody is logged in."""
    with LocalHub() as server:
        server.use(monkeypatch, tmp_path / "cache")
        yield server


@pytest.fixture(scope="session")
def project_sheets() -> list[Path]:
    """Sample sheets that git tracks: a private one in ``runs/`` is nobody's failure.

    The sheet of the study on invented languages has cells for rows, not runs.
    """
    listed = in_group.run(["git", "ls-files", "runs/*.csv"], cwd=ROOT).stdout.split()
    paths = [ROOT / name for name in listed] or sorted(ROOT.glob("runs/*.csv"))
    return [path for path in paths if path.name != "controlled.csv"]


@dataclass(frozen=True)
class SmallBook:
    """What `make small` made of `runs/small.csv`, in a folder of its own."""

    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def html(self) -> Path:
        return self.folder / "_build" / "html"

    @property
    def sheet(self) -> Path:
        return ROOT / "runs" / "small.csv"

    @property
    def rows(self) -> list[sheets.Row]:
        return sheets.read_sheet(self.sheet)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "LINGUA_HOME": str(ROOT),
            "LINGUA_CHECKPOINTS": str(self.folder / "checkpoints"),
        }

    def make(self, target: str, sheet: Path | None = None, results: Path | None = None):
        """Run a target of the Makefile on the small sheet, or on another sheet into another folder."""
        places = {"RUNS": sheet or self.sheet.relative_to(ROOT), "RESULTS": results or self.results}
        places["BUILD"] = (results.parent if results else self.folder) / "_build"
        command = ["make", "--no-print-directory", target, *(f"{name}={at}" for name, at in places.items())]
        return in_group.run(command, cwd=ROOT, env=self.environment)


@pytest.fixture(scope="session")
def small_book() -> SmallBook:
    """The small book, as it was built before the tests began."""
    book = SmallBook(ROOT / "_build" / "small")
    assert (book.html / "index.html").is_file(), "there is no small book: `make small` builds it"
    return book


@pytest.fixture(scope="session")
def built_book(small_book) -> Path:
    """Folder of the small book's HTML."""
    return small_book.html


@dataclass(frozen=True)
class Executed:
    """What a notebook left behind."""

    names: dict

    def table(self, name: str) -> pd.DataFrame:
        """A table that it made."""
        return self.names[name]


@pytest.fixture
def small_run(small_book, monkeypatch):
    """Runs a stage notebook on the smallest lab model, into a folder: ``small_run(notebook, folder)``."""
    monkeypatch.setenv("LINGUA_CHECKPOINTS", str(small_book.folder / "checkpoints"))
    small = {"model_id": "lab/bloom-xs", "revision": "step000100", "n_sentences": 12}

    def run(notebook: str | Path, folder: Path, **parameters) -> Executed:
        return Executed(run_notebook(notebook, **small, results=str(folder), **parameters))

    return run
