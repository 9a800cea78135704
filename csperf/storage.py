"""Writing records so that a kill at any point leaves the old or the new, never half.

Everything goes to a temporary name beside its place, is flushed to disk and renamed. One lock guards
CSPERF_HOME: two runs at once wait for each other. Folders and files are their owner's alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from csperf.errors import CsperfError
from csperf.settings import Settings

PRIVATE_DIR = 0o700
PASSABLE_DIR = 0o711
PRIVATE_FILE = 0o600
# In CSPERF_HOME while a restored backup is put in place: what is there may not be whole.
RESTORING = ".restoring"
_locks: dict[Path, FileLock] = {}
_held: dict[Path, int] = {}


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_home(settings: Settings) -> None:
    """Make CSPERF_HOME if it is missing: others may pass through to the BI copy, and see nothing on the way."""
    settings.home.mkdir(parents=True, exist_ok=True, mode=PASSABLE_DIR)


def private_dir(path: Path) -> Path:
    """Make a folder and those missing above it, each for its owner alone whatever the umask; returns it."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=PRIVATE_DIR, exist_ok=True)
    return path


@contextmanager
def private_umask() -> Iterator[None]:
    """Whatever is made meanwhile, by other libraries too, is its owner's alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def fsync_dir(path: Path) -> None:
    """Flush a directory, so that a rename in it survives a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fsync_file(path: Path) -> None:
    """Flush a file that another library wrote."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, content: bytes, mode: int = PRIVATE_FILE) -> None:
    """Write a whole file atomically with the given mode; its folder is made if missing."""
    private_dir(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    fsync_dir(path.parent)


def json_bytes(content: Any) -> bytes:
    """JSON as the records have it: sorted keys, so that equal content is equal bytes."""
    return (json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True, default=str) + "\n").encode()


def write_json(path: Path, content: Any, mode: int = PRIVATE_FILE) -> None:
    """Write JSON atomically."""
    write_bytes(path, json_bytes(content), mode)


def publish_dir(prepared: Path, target: Path) -> None:
    """Rename a finished folder into place. Its files are flushed first; `target` must not exist yet."""
    for file in sorted(prepared.rglob("*")):
        if file.is_file():
            fsync_file(file)
    private_dir(target.parent)
    prepared.rename(target)
    fsync_dir(target.parent)


@contextmanager
def scratch_dir(settings: Settings, purpose: str) -> Iterator[Path]:
    """A private folder under CSPERF_HOME/work that is removed afterwards."""
    path = Path(tempfile.mkdtemp(dir=private_dir(settings.work_dir), prefix=f"{purpose}-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def home_lock(settings: Settings, timeout: float = 3600, restoring: bool = False) -> Iterator[None]:
    """Hold CSPERF_HOME alone (again and again within one thread is fine); what is written meanwhile is private.

    Left-over scratch folders of a killed run are removed when the lock is taken first: whoever holds the
    lock knows that nobody else writes. A CsperfError when another run keeps it longer than `timeout` seconds, or when
    a restore was stopped while it put things in place, unless it is that which goes on (`restoring`).
    """
    make_home(settings)
    path = settings.lock_path
    if path not in _locks:
        _locks[path] = FileLock(path, mode=PRIVATE_FILE, on_acquired=partial(_held.__setitem__, path))
    lock = _locks[path]
    try:
        with lock.acquire(timeout=timeout), private_umask():
            outermost = lock.lock_counter == 1
            try:
                if outermost:
                    _check_whole(settings, restoring)
                    shutil.rmtree(settings.work_dir, ignore_errors=True)
                yield
            finally:
                if outermost:
                    del _held[path]
    except Timeout:
        raise CsperfError(
            f"Another run has held {path} for {timeout:.0f} s; wait for it to end and start again."
        ) from None


def _check_whole(settings: Settings, restoring: bool) -> None:
    if (settings.home / RESTORING).exists() and not restoring:
        raise CsperfError(f"A restore into {settings.home} was stopped on the way; run csperf restore again.")


def held_locks() -> tuple[int, ...]:
    """The descriptors of the locks that are held: a child process that is given them holds the locks until it ends,
    even if this process is killed before."""
    return tuple(_held.values())
