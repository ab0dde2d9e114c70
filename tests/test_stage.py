"""A new stage is laid out in one step, and runs."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from workflow import new_stage

ROOT = Path(__file__).resolve().parent.parent
LAST = max(path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.py"))
NEXT = f"{int(LAST[:2]) + 1:02d}_cka"


@pytest.fixture
def project(tmp_path):
    """What of the project a new stage changes."""
    for place in ("notebooks", "tests", "lingua_utils/runs"):
        (tmp_path / place).mkdir(parents=True)
    for name in ("pyproject.toml", "_config.yml", "_toc.yml", "lingua_utils/runs/stages.csv"):
        shutil.copy(ROOT / name, tmp_path / name)
    for path in (ROOT / "notebooks").glob("*.py"):
        (tmp_path / "notebooks" / path.name).touch()
    return tmp_path


def test_a_new_stage_has_a_notebook_pair_a_row_a_page_and_a_test(project):
    written = [path.relative_to(project).as_posix() for path in new_stage.lay_out("cka", project)]
    assert set(written) == {
        f"notebooks/{NEXT}.py",
        f"notebooks/{NEXT}.ipynb",
        "tests/test_cka.py",
        "lingua_utils/runs/stages.csv",
        "_toc.yml",
    }
    assert all((project / path).is_file() for path in written)
    stages = (project / "lingua_utils/runs/stages.csv").read_text().splitlines()
    assert stages[-1].startswith(f"cka,{NEXT},run,")
    toc = (project / "_toc.yml").read_text().splitlines()
    assert toc[toc.index(f"      - file: notebooks/{LAST}") + 1] == f"      - file: notebooks/{NEXT}"


def test_the_notebook_of_a_new_stage_runs(project, small_run, tmp_path):
    new_stage.lay_out("cka", project)
    table = small_run(project / f"notebooks/{NEXT}.py", tmp_path / "results").table("cka")
    assert len(table) == table.layer.nunique() == 2 and np.isfinite(table.cka).all()


def test_what_a_new_stage_writes_is_clean(project):
    new_stage.lay_out("cka", project)
    ruff = Path(sys.executable).with_name("ruff")
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run([ruff, *command, f"notebooks/{NEXT}.py", "tests/test_cka.py"], cwd=project)
        assert done.returncode == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [("CKA", "small letters"), ("../x", "small letters"), ("similarity", "already"), ("dose", "already")],
)
def test_a_name_that_cannot_be_a_stage_is_refused(project, name, message):
    with pytest.raises(ValueError, match=message):
        new_stage.lay_out(name, project)
    assert not list((project / "tests").iterdir())
