"""Every notebook alone, as on Colab: a machine with torch, numpy and pandas, and an empty folder.

The first cell of a notebook installs the project, here from a wheel; nothing else is there.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import in_group
import jupytext
import nbformat
import papermill
import pytest
import yaml
from local_hub import LocalHub
from tiny_models import save_tiny

ROOT = Path(__file__).resolve().parent.parent
NAMES = sorted(path.stem for path in (ROOT / "notebooks").glob("*.py"))
OF_MANY_RUNS = ("08_evolution", "09_scaling", "10_languages", "13_atlas")
ADDRESS = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]

SHIPPED_BY_COLAB = ("torch", "numpy", "pandas", "ipykernel")
# The lab's smallest model instead of its default, which takes minutes to train here.
MINIATURE = {
    "model_id": "lab/bloom-xs",
    "languages": "eng_Latn zho_Hans fra_Latn arb_Arab hin_Deva vie_Latn",
    "n_sentences": 12,
    "silenced": False,
}


def first_cell(name: str) -> str:
    """The cell of a notebook that installs the package."""
    return next(
        cell.source for cell in jupytext.read(ROOT / f"notebooks/{name}.py").cells if cell.cell_type == "code"
    )


@dataclass(frozen=True)
class Colab:
    """A clean environment with a kernel of its own."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("LINGUA", "PYTHON"))
        }
        return kept | {
            "JUPYTER_PATH": str(self.folder),
            "LINGUA_CHECKPOINTS": str(self.folder / "checkpoints"),
            "HF_HOME": str(self.folder / "cache"),
        }

    def run(self, *arguments: str) -> str:
        done = in_group.run([str(self.python), *arguments], env=self.environment, cwd=self.folder)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    def versions(self) -> dict[str, str]:
        code = f"import importlib.metadata as m; print([m.version(n) for n in {SHIPPED_BY_COLAB}])"
        return self.run("-c", code)

    def execute(self, name: str, folder: Path, monkeypatch, **parameters) -> nbformat.NotebookNode:
        """Run a tracked notebook in an empty folder, by the kernel of the clean environment."""
        monkeypatch.delenv("LINGUA_HOME", raising=False)
        for variable, value in self.environment.items():
            monkeypatch.setenv(variable, value)
        folder.mkdir()
        return papermill.execute_notebook(
            str(ROOT / f"notebooks/{name}.ipynb"),
            str(folder.with_suffix(".ipynb")),
            parameters=parameters,
            kernel_name="colab",
            cwd=str(folder),
            progress_bar=False,
        )


@pytest.fixture(scope="module")
def colab(tmp_path_factory) -> Colab:
    """The environment, with the project as the first cell of a notebook installs it from a wheel."""
    machine = Colab(tmp_path_factory.mktemp("colab"))
    subprocess.run([sys.executable, "-m", "venv", machine.folder / "venv"], check=True)
    pins = [f"{name}=={version(name).partition('+')[0]}" for name in SHIPPED_BY_COLAB]
    machine.run("-m", "pip", "install", "-q", "--disable-pip-version-check", *pins)
    before = machine.versions()
    machine.run("-c", _with_address(first_cell("07_tasks"), _wheel(machine.folder)))
    assert machine.versions() == before, "installing the project replaced what Colab ships"
    kernel = machine.folder / "kernels" / "colab"
    kernel.mkdir(parents=True)
    argv = [str(machine.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Colab", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    return machine


def _wheel(folder: Path) -> Path:
    """The project as a wheel, built from a copy so that nothing is left in the tree."""
    source = folder / "source"
    left_out = shutil.ignore_patterns(".*", "_build", "results", "checkpoints", "build", "*.egg-info")
    shutil.copytree(ROOT, source, ignore=left_out)
    command = ["-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, source]
    subprocess.run([sys.executable, *command], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _with_address(cell: str, wheel: Path) -> str:
    """The cell with the wheel in place of the repository, and pip run where there is no notebook."""
    cell = cell.replace(f"git+{ADDRESS}", wheel.as_uri()).replace("from IPython import get_ipython", "")
    command = "import shlex, subprocess, sys\n"
    command += (
        "def pip(line): subprocess.run([sys.executable, '-m', 'pip', *shlex.split(line)], check=True)\n"
    )
    return command + re.sub(r'get_ipython\(\)\.run_line_magic\("pip", (.*)\)', r"pip(\1)", cell)


@pytest.mark.parametrize("name", NAMES)
def test_the_first_cell_installs_from_the_repository_of_the_book(name):
    cell = first_cell(name)
    assert f'"git+{ADDRESS}"' in cell
    assert "torch" not in re.sub(r"#.*", "", cell)


def test_every_mention_of_the_repository_is_of_the_one_in_the_configuration():
    owner, name = ADDRESS.rsplit("/", 2)[1:]
    folders = ("book", "lingua_utils", "notebooks", "tests", "workflow")
    paths = [*ROOT.glob("*.*"), *(path for folder in folders for path in (ROOT / folder).rglob("*.*"))]
    address = rf"(?:(?:github\.com|google\.com/github)/([\w.-]+)|([\w.-]+)\.github\.io)/{re.escape(name)}\b"
    mention = re.compile(address)
    found = {
        (path.name, match[1] or match[2])
        for path in paths
        if path.suffix in (".py", ".ipynb", ".md", ".yml", ".toml", ".cff")
        for match in mention.finditer(path.read_text(encoding="utf-8"))
    }
    assert {"README.md", "CITATION.cff", *(f"{name}.ipynb" for name in NAMES)} <= {name for name, _ in found}
    assert {who for _, who in found} == {owner}


def test_a_notebook_goes_from_the_name_of_a_hub_model_to_its_charts(colab, tmp_path, monkeypatch):
    with LocalHub() as hub:
        hub.add("bigscience/bloom-560m", save_tiny("bloom", tmp_path / "model"))
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        notebook = colab.execute("00_any_model", tmp_path / "empty", monkeypatch)
    # The scores, retrieval, what the rules select, and two beside the published models.
    assert len(charts(notebook)) == 5
    (run,) = (tmp_path / "empty/results/world/bigscience--bloom-560m").glob("main*")
    assert (run / "activations").is_dir() and not list(run.glob("*.parquet"))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("00_any_model", *OF_MANY_RUNS)])
def test_every_notebook_runs_alone_in_an_empty_folder(name, colab, tmp_path, monkeypatch):
    declared = papermill.inspect_notebook(str(ROOT / f"notebooks/{name}.ipynb"))
    parameters = {key: value for key, value in MINIATURE.items() if key in declared}
    notebook = colab.execute(name, tmp_path / "empty", monkeypatch, **parameters)
    assert "What we see." in shown(notebook)


@pytest.mark.parametrize("name", OF_MANY_RUNS)
def test_what_was_not_measured_here_is_shown_as_published(name, colab, tmp_path, monkeypatch):
    notebook = colab.execute(name, tmp_path / "empty", monkeypatch)
    assert "published" in shown(notebook) and "measured here" not in shown(notebook)
    assert not (tmp_path / "empty/results").exists()


def shown(notebook: nbformat.NotebookNode) -> str:
    """What a notebook shows, as text."""
    return str([cell.get("outputs") for cell in notebook.cells])


def charts(notebook: nbformat.NotebookNode) -> list:
    """Outputs of a notebook that draw something."""
    return [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if any("vega" in kind for kind in output.get("data", {}))
        or "vega" in str(output.get("data", {}).get("text/html", ""))
    ]
