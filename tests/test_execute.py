"""Executing notebooks leaves no process behind, whatever ends it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).resolve().parent.parent


def alive(pid: int) -> bool:
    """Whether a process is there, and not only its entry."""
    state = Path(f"/proc/{pid}/stat")
    return state.is_file() and state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_execution_takes_its_kernel_and_what_that_started_with_it(tmp_path, how):
    told = tmp_path / "pids"
    source = (
        "# %%\nimport os, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        f"open({str(told)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(600)\n"
    )
    notebook = jupytext.reads(source, fmt="py:percent")
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    jupytext.write(notebook, tmp_path / "sleeps.ipynb")
    code = "import sys; from pathlib import Path; from workflow import execute\n"
    code += f"execute.NOTEBOOKS = Path({str(tmp_path)!r}); sys.exit(execute.main())"
    command = [sys.executable, "-c", code, "sleeps", "--to", str(tmp_path / "out")]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + 90
        while not (told.is_file() and told.read_text()) and time.monotonic() < deadline:
            time.sleep(0.1)
        pids = [int(pid) for pid in told.read_text().split()]
        assert all(map(alive, pids))
        process.send_signal(how)
        assert process.wait(60) != 0
        deadline = time.monotonic() + 10
        while any(map(alive, pids)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not any(map(alive, pids))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
