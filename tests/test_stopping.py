"""csperf asked to end, or killed: its dbt ends with it, the lock goes last, and the next run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import psutil
import pytest

from csperf import stopping
from csperf.errors import CsperfError
from csperf.settings import Settings
from csperf.storage import home_lock, write_bytes
from tests.landing_files import attendance, employee, land

DAY = date(2026, 6, 30)


def start_build(home: Path) -> tuple[subprocess.Popen[str], psutil.Process]:
    """A `csperf build` that has come to its dbt, and the dbt."""
    settings = Settings(home=home)
    land(settings, "employees", DAY, [employee("E1")])
    land(settings, "attendance", DAY, [attendance("E1", DAY)])
    environment = os.environ | {"CSPERF_HOME": str(home)}
    command = [sys.executable, "-m", "csperf", "build"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 120
    while True:
        assert process.poll() is None and time.monotonic() < deadline
        for child in psutil.Process(process.pid).children():
            if "csperf.dbt_process" in child.cmdline():
                return process, child
        time.sleep(0.01)


def ended(process: psutil.Process) -> bool:
    """Whether a process that is nobody's child any more has ended; nobody may have asked for its exit code."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_sigterm_ends_csperf_in_one_sentence_and_its_dbt_with_it(tmp_path: Path) -> None:
    process, dbt = start_build(tmp_path)
    process.terminate()
    _, told = process.communicate(timeout=stopping.SECONDS_TO_END)
    assert process.returncode == 128 + signal.SIGTERM
    assert told == stopping.STOPPED + "\n"
    psutil.wait_procs([dbt], timeout=5)
    assert ended(dbt)
    assert not list((tmp_path / "work").glob("*"))


def test_a_killed_csperf_takes_its_dbt_with_it_and_the_lock_is_free_when_that_has_ended(tmp_path: Path) -> None:
    process, dbt = start_build(tmp_path)
    dbt.suspend()  # it cannot notice yet that its caller is gone
    process.kill()
    process.wait()
    with pytest.raises(CsperfError, match="Another run has held"), home_lock(Settings(home=tmp_path), timeout=0.2):
        pass
    dbt.resume()
    with home_lock(Settings(home=tmp_path), timeout=30):
        assert ended(dbt)


@pytest.mark.parametrize("number", stopping.SIGNALS)
def test_a_query_of_duckdb_that_a_signal_interrupts_is_one_sentence(number: signal.Signals) -> None:
    code = (
        "import duckdb, os, signal, sys, threading\n"
        "from csperf import console, stopping\n"
        "signal.signal(int(sys.argv[1]), signal.SIG_DFL)\n"  # whoever runs the tests may ignore it
        "def work():\n"
        "    threading.Timer(0.3, os.kill, [os.getpid(), int(sys.argv[1])]).start()\n"
        "    duckdb.sql('select sum(hash(a.range + b.range)) from range(1000000) a, range(1000000) b').fetchall()\n"
        "console.run(work, lambda: False)\n"
    )
    command = [sys.executable, "-c", code, str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (128 + number, stopping.STOPPED + "\n")


def test_what_is_behind_an_error_decides() -> None:
    stopping.raise_if_all_ends(ValueError("a row is bad"))
    stopping.raise_if_all_ends(CsperfError("quoted: No space left on device"))
    with pytest.raises(stopping.DiskFull):
        stopping.raise_if_all_ends(stopping.DiskFull())
    with pytest.raises(stopping.DiskFull):
        stopping.raise_if_all_ends(OSError(28, "No space left on device"))
    wrapped = RuntimeError("could not write")
    wrapped.__cause__ = OSError(28, "No space left on device")
    with pytest.raises(stopping.DiskFull):
        stopping.raise_if_all_ends(wrapped)


def test_writing_to_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_bytes(path, b"old")
    code = (
        "import resource, sys; from pathlib import Path; from csperf.storage import write_bytes\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_bytes(Path(sys.argv[1]), b'new' * 1000)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert "File too large" in done.stderr
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
