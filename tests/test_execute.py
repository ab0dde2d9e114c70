"""Executing notebooks leaves no process behind, whatever ends it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jupytext
import pytest

from workflow.pages import error_in

ROOT = Path(__file__).resolve().parent.parent


def write_notebook(path: Path, source: str) -> None:
    notebook = jupytext.reads(f"# %%\n{source}", fmt="py:percent")
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    jupytext.write(notebook, path)


def start(folder: Path, *arguments: str, **options) -> subprocess.Popen:
    """Execute notebooks of a folder, into its folder ``out``."""
    code = "import sys; from pathlib import Path; from workflow import execute\n"
    code += f"execute.NOTEBOOKS = Path({str(folder)!r}); sys.exit(execute.main())"
    command = [sys.executable, "-c", code, *arguments, "--to", str(folder / "out")]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, **options)


def gone(pids: list[int], seconds: int = 20) -> bool:
    """Whether these processes end, which takes a moment."""
    deadline = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not any(map(alive, pids))


def read_pids(path: Path, seconds: int = 90) -> list[int]:
    """What a process that was just started writes down when it is there."""
    deadline = time.monotonic() + seconds
    while not (path.is_file() and path.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return [int(pid) for pid in path.read_text().split()]


def alive(pid: int) -> bool:
    """Whether a process is there, and not only its entry."""
    state = Path(f"/proc/{pid}/stat")
    return state.is_file() and state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_execution_takes_its_kernel_and_what_that_started_with_it(tmp_path, how):
    told = tmp_path / "pids"
    source = "import os, subprocess, time\nchild = subprocess.Popen(['sleep', '600'])\n"
    source += f"open({str(told)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\ntime.sleep(600)\n"
    write_notebook(tmp_path / "sleeps.ipynb", source)
    process = start(tmp_path, "sleeps", start_new_session=True)
    try:
        pids = read_pids(told)
        assert all(map(alive, pids))
        process.send_signal(how)
        assert process.wait(60) != 0
        assert gone(pids)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_a_kernel_that_dies_stops_no_other_notebook(tmp_path):
    write_notebook(tmp_path / "dies.ipynb", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    write_notebook(tmp_path / "lives.ipynb", "1 + 1")
    process = start(tmp_path, "dies", "lives", "--keep-going")
    _, told = process.communicate()
    assert process.returncode == 1
    assert "dies.ipynb failed: Kernel died" in told
    assert error_in(tmp_path / "out/lives.ipynb") is None
    assert error_in(tmp_path / "out/dies.ipynb") == "dies: stopped before its end"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("workers", ["0", "1"])
def test_an_interrupted_suite_leaves_no_command_behind(tmp_path, workers):
    told = tmp_path / "pids"
    command = f"echo $$ > {told}; sleep 600 & echo $! >> {told}; wait"
    (tmp_path / "test_sleeps.py").write_text(
        f"from in_group import run\n\n\ndef test_it():\n    run(['sh', '-c', {command!r}])\n"
    )
    suite = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", workers, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
    process = subprocess.Popen(suite, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    pids = read_pids(told)
    assert all(map(alive, pids))
    process.send_signal(signal.SIGINT)
    assert process.wait(60) != 0
    assert gone(pids)
