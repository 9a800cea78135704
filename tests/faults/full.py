"""A full disk: a small file system of its own where one may be mounted, else a limit on the size of files."""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from csperf.stopping import FULL
from tests.faults.company import Company, check_end
from tests.faults.results import Result
from tests.faults.steps import run

SMALLEST, LARGEST = 2_000, 40_000_000  # bytes that a step may still write, or of its largest file
ROOM = "1g"


def full(company: Company, step: str, times: int, chance: random.Random, mounted: bool) -> Result:
    """Let a step run out of space so many times, then give it space."""
    result = Result(f"{'disk full' if mounted else 'file too large'} in {step}")
    tries = 0
    while result.times < times and tries < 5 * times:
        tries += 1
        room = round(SMALLEST * (LARGEST / SMALLEST) ** chance.random())
        settings = company.home(step)
        with _small(settings.home, room) if mounted else contextlib.nullcontext():
            first, told = run(step, settings, None if mounted else room)
            if mounted:
                subprocess.run(["mount", "-o", f"remount,size={ROOM}", str(settings.home)], check=True)
            problem = None
            if first.code != 0 and (first.code, told) != (1, f"{FULL}\n"):
                problem = f"with {room:,} bytes left {step} ended with {first.code}: {told.strip()[-700:]}"
            done = run(step, settings)
            result.add(first.code != 0, company.difference(step, settings), problem or check_end(step, done))
        company.drop(settings)
    return result


def can_mount(folder: Path) -> bool:
    """Whether a small file system may be mounted here."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(folder)], capture_output=True, check=False)
    if mounted.returncode == 0:
        subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()
    return mounted.returncode == 0


@contextlib.contextmanager
def _small(home: Path, room: int) -> Iterator[None]:
    """The home on a file system of its own with so many bytes left."""
    aside = home.with_name("aside")
    home.rename(aside)
    home.mkdir(mode=0o711)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=711", "tmpfs", str(home)], check=True)
    try:
        shutil.copytree(aside, home, dirs_exist_ok=True)
        shutil.rmtree(aside)
        used = shutil.disk_usage(home).used
        subprocess.run(["mount", "-o", f"remount,size={used + room}", str(home)], check=True)
        yield
    finally:
        subprocess.run(["umount", str(home)], check=True)
