"""Run notebooks one after the other in one warm kernel: torch is imported once, not once a notebook.

    python workflow/execute.py 03_activations 04_similarity --to results/world/lab--bloom-m/step000600 \
        --parameters '{"model_id": "lab/bloom-m", "revision": "step000600"}'

Each notebook gets those of the parameters that it declares. An executed copy is written beside the results
whether the run succeeds or fails; after a failure the notebooks that follow are not started, unless they are
to be kept going. Interrupted, it takes its kernel with it.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

import nbformat
import papermill
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines

from lingua_utils import files

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
KERNEL = "python3"


class WarmEngine(NBClientEngine):
    """A papermill engine that leaves its kernel running, emptied, for the next notebook."""

    kernel: AsyncKernelManager | None = None

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, log_output=False, **options):
        """Execute in the kernel that is there; the first call starts it."""
        if cls.kernel is None:
            # A kernel is a process group of its own: whatever it started ends with it.
            cls.kernel = AsyncKernelManager(kernel_name=kernel_name)
        PapermillNotebookClient(nb_man, km=cls.kernel, kernel_name=kernel_name, timeout=None).execute()

    @classmethod
    def end(cls) -> None:
        """End the kernel, if one was started, and all that it started."""
        provisioner = cls.kernel and cls.kernel.provisioner
        process = getattr(provisioner, "process", None)
        if process is not None and process.poll() is None:
            if hasattr(os, "killpg"):
                os.killpg(os.getpgid(process.pid), signal.SIGKILL)
            else:
                process.kill()
            process.wait()
        cls.kernel = None


papermill_engines.register("warm", WarmEngine)


def execute(name: str, folder: Path, parameters: dict) -> None:
    """Run ``notebooks/<name>.ipynb`` with those parameters it declares; write the executed copy.

    Raises
    ------
    papermill.PapermillExecutionError
        After the executed copy, with the error in it, is written.
    """
    source, target = NOTEBOOKS / f"{name}.ipynb", folder / f"{name}.ipynb"
    if not source.is_file():
        raise FileNotFoundError(f"no notebook {source.name}; run `make pairs` to generate it")
    declared = papermill.inspect_notebook(str(source))
    folder.mkdir(parents=True, exist_ok=True)
    papermill.execute_notebook(
        str(source),
        str(target),
        parameters={key: value for key, value in parameters.items() if key in declared},
        engine_name="warm",
        kernel_name=KERNEL,
        cwd=str(files.home()),
        progress_bar=False,
    )
    settle(target)


def settle(path: Path) -> None:
    """Drop what differs from run to run (bars, timings, marks), and fold the parameters that were given."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution", "id"):
            cell.metadata.pop(key, None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.metadata["tags"].append("hide-input")
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    with files.writing(path) as temporary:
        nbformat.write(notebook, temporary)


def empty_kernel(folder: Path) -> None:
    """Remove the names that the last notebook left in the kernel; imported modules stay loaded."""
    cell = nbformat.v4.new_code_cell("%reset -f")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata["kernelspec"] = {"name": KERNEL, "display_name": KERNEL, "language": "python"}
    nbformat.write(notebook, folder / "reset.ipynb")
    papermill.execute_notebook(
        str(folder / "reset.ipynb"), None, engine_name="warm", kernel_name=KERNEL, progress_bar=False
    )


def main() -> int:
    """Command line: notebooks, a folder for their executed copies, parameters as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebooks", nargs="+")
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--parameters", type=json.loads, default={})
    parser.add_argument("--keep-going", action="store_true", help="run what follows a failure too")
    arguments = parser.parse_args()
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    # Asked to end, it ends as when it is interrupted: through the block that ends the kernel.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    failed = 0
    try:
        with tempfile.TemporaryDirectory() as scratch:
            for number, name in enumerate(arguments.notebooks):
                if number:
                    empty_kernel(Path(scratch))
                try:
                    execute(name, arguments.to, arguments.parameters)
                except (papermill.PapermillExecutionError, DeadKernelError) as error:
                    told = f"{error.ename}: {error.evalue}" if hasattr(error, "ename") else error
                    print(f"{arguments.to / name}.ipynb failed: {told}", file=sys.stderr)
                    failed = 1
                    WarmEngine.end()
                    if not arguments.keep_going:
                        break
    except KeyboardInterrupt:
        failed = 128 + signal.SIGINT
    finally:
        WarmEngine.end()
    return failed


if __name__ == "__main__":
    sys.exit(main())
