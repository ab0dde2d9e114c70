"""The small book: the whole pipeline on the smallest lab model, run once for all tests that look at it."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings
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


@dataclass(frozen=True)
class SmallBook:
    """What `make book` made of `runs/small.csv`, in a folder of its own."""

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
    def rows(self) -> list[dict]:
        return sheets.read_sheet(self.sheet)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "LINGUA_HOME": str(ROOT),
            "LINGUA_CHECKPOINTS": str(self.folder / "checkpoints"),
        }

    def make(self, target: str, sheet: Path | None = None, results: Path | None = None):
        """Run a target of the Makefile on the small sheet, or on another sheet into another folder."""
        settings = {
            "RUNS": sheet or self.sheet,
            "RESULTS": results or self.results,
            "BUILD": self.folder / "_build",
        }
        command = [
            "make",
            "--no-print-directory",
            target,
            *(f"{name}={value}" for name, value in settings.items()),
        ]
        return subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True)


@pytest.fixture(scope="session")
def small_book(tmp_path_factory) -> SmallBook:
    """The small book, built once a session."""
    book = SmallBook(tmp_path_factory.mktemp("small_book"))
    done = book.make("book")
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return book


@pytest.fixture(scope="session")
def built_book(small_book) -> Path:
    """Folder of the small book's HTML."""
    return small_book.html
