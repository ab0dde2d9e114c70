"""Commands that end with the test that started them, and with them all that they started."""

import contextlib
import os
import signal
import subprocess
import sys


def run(command: list, **options) -> subprocess.CompletedProcess:
    """As ``subprocess.run`` with the output as text; when the test is interrupted the whole group ends."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with subprocess.Popen(command, start_new_session=True, **streams | options) as process:
            try:
                out, told = process.communicate()
            except BaseException:
                _end(process)
                raise
    finally:
        signal.signal(signal.SIGTERM, before)
    return subprocess.CompletedProcess(command, process.returncode, out, told)


def _end(process: subprocess.Popen) -> None:
    """Ask a group to end, which lets kernels be ended in their own groups; then end what is left of it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        os.killpg(process.pid, signal.SIGKILL)
