"""Copies of the records, kept outside CSPERF_HOME: taken, checked, and restored into an empty one.

A backup folder holds any number of backups of one CSPERF_HOME:

    <folder>/objects/<ab>/<sha256>       each file's content once, whatever its names and however often it was there
    <folder>/backups/<time>.json         one backup: where each file lay, its sha256 and size; written last

What is no cache is a record: all below CSPERF_HOME is copied but for what `rebuild` makes and scratch files, and the
folder of CSPERF_POLICY_DIR besides. A content that is there already is not copied again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from csperf.errors import CsperfError, UsageError
from csperf.progress import Progress, silent
from csperf.settings import Settings
from csperf.storage import (
    RESTORING,
    file_digest,
    fsync_dir,
    home_lock,
    json_bytes,
    private_dir,
    private_umask,
    scratch_dir,
    write_bytes,
)

OBJECTS, BACKUPS = "objects", "backups"
PLANS = "plans"  # where the files of CSPERF_POLICY_DIR lie in a backup and in a restored CSPERF_HOME
FORMAT = 1
# Below CSPERF_HOME: what can be computed again (or, like the pages of the checks, had by checking again), scratch
# space, and the made-up company of `make run`.
CACHES = frozenset({"warehouse", "serving", "dbt", "reports", "work", "demo", "quality/data_docs"})
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Entry:
    """A file in a backup: its sha256, size, and when its original was changed last (nanoseconds)."""

    sha256: str
    size: int
    changed: int


@dataclass(frozen=True)
class Backup:
    """A backup: its file, when it was taken, and its files by their path below CSPERF_HOME."""

    path: Path
    taken_at: str
    files: Mapping[str, Entry]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.files.values())


@dataclass
class Taken:
    """What taking a backup did: files and bytes that were new in the folder."""

    backup: Backup
    copied: int = 0
    copied_bytes: int = 0


@dataclass(frozen=True)
class Restored:
    """What was restored, and where the company's own plan files lie if there were any."""

    backup: Backup
    plans: Path | None


@dataclass(frozen=True)
class Pruned:
    """The backups that were dropped, and how many contents went with them and their bytes."""

    dropped: list[Backup]
    contents: int = 0
    size: int = 0


@dataclass
class Checked:
    """The backups of a folder, how many contents they hold together, and a sentence for each damage."""

    backups: list[Backup]
    contents: int = 0
    damages: list[str] = field(default_factory=list)


def take(settings: Settings, folder: Path, at: datetime, progress: Progress | None = None) -> Taken:
    """Add a backup of the records as they are to a folder, at the time `at`; nobody writes meanwhile.

    The folder may be missing, empty, or hold earlier backups. A file whose size and time of change are those of the
    last backup is taken to be as it was then. UsageError when the folder is inside CSPERF_HOME or holds something else,
    CsperfError when there are no records.
    """
    told, folder = progress or silent, folder.expanduser().resolve()
    if folder.is_relative_to(settings.home) or settings.home.is_relative_to(folder):
        raise UsageError(f"{folder} and CSPERF_HOME lie in each other; name a folder elsewhere, best on another disk.")
    if folder.exists() and any(folder.iterdir()) and not (folder / BACKUPS).is_dir():
        raise UsageError(f"{folder} holds something else; name an empty folder or one with earlier backups.")
    with home_lock(settings), private_umask():
        sources = dict(_records(settings))
        if not any(path.startswith("landing/") for path in sources):
            raise CsperfError(f"There is nothing to back up in {settings.home}; name the right folder in CSPERF_HOME.")
        for part in (folder / OBJECTS, folder / BACKUPS):
            private_dir(part)
        for left in (folder / OBJECTS).glob(".*"):  # by a backup that was killed
            left.unlink()
        earlier = backups(folder)
        known = dict(earlier[-1].files) if earlier else {}
        taken = Taken(Backup(folder / BACKUPS / f"{_stamp(at)}.json", at.astimezone(UTC).isoformat(), {}))
        files: dict[str, Entry] = {}
        for number, (name, source) in enumerate(sorted(sources.items())):
            told("back up", number, len(sources))
            files[name] = _store(folder, source, known.get(name), taken)
        told("back up", len(sources), len(sources))
        content = {"format": FORMAT, "taken_at": taken.backup.taken_at, "home": str(settings.home)}
        content["files"] = {name: [entry.sha256, entry.size, entry.changed] for name, entry in files.items()}
        write_bytes(taken.backup.path, json_bytes({**content, "seal": _seal(content)}))
    taken.backup = Backup(taken.backup.path, taken.backup.taken_at, files)
    return taken


def backups(folder: Path) -> list[Backup]:
    """The backups in a folder, the oldest first; CsperfError when one cannot be read."""
    return [_read(path) for path in sorted((folder / BACKUPS).glob("*.json")) if not path.name.startswith(".")]


def prune(settings: Settings, folder: Path, keep: int, progress: Progress | None = None) -> Pruned:
    """Drop all but the newest `keep` backups (1 or more) of a folder, and the contents that none of them names.

    A backup goes before its contents, so that one that is there is always whole; killed between, the next call drops
    what is left. CsperfError, and nothing is dropped, when a backup cannot be read or when a published month's or
    quarter's file would go that none of the kept ones has: such a file is never changed, so it was lost since.
    """
    told, folder = progress or silent, folder.expanduser().resolve()
    with home_lock(settings):
        found = _some(folder)
        dropped, kept = found[:-keep], found[-keep:]
        names = {name for each in kept for name in each.files}
        last = {name: each.name for each in dropped for name in each.files if _is_published(name) and name not in names}
        if last:
            name = min(last)
            raise CsperfError(
                f"{name} was published and only backups older than the newest {keep} still have it, {last[name]} the "
                "newest of them; nothing was dropped. Copy it back from there, take another backup, and try again."
            )
        for each in dropped:
            each.path.unlink()
        fsync_dir(folder / BACKUPS)
        wanted = {entry.sha256 for each in kept for entry in each.files.values()}
        gone = [path for path in (folder / OBJECTS).glob("??/*") if path.name not in wanted]
        size = 0
        for number, path in enumerate(gone):
            told("drop", number, len(gone))
            size += path.stat().st_size
            path.unlink()
        told("drop", len(gone), len(gone))
    return Pruned(dropped, len(gone), size)


def _is_published(name: str) -> bool:
    """Whether a file belongs to what was published: payroll/<month>/rev-…/… or tiers/<quarter>/rev-…/…"""
    parts = PurePosixPath(name).parts
    return len(parts) > 3 and parts[0] in ("payroll", "tiers") and parts[2].startswith("rev-")


def check(folder: Path, progress: Progress | None = None) -> Checked:
    """Read every content that the backups of a folder name and compare it with its sha256."""
    told, folder = progress or silent, folder.expanduser().resolve()
    done = Checked(_some(folder))
    wanted = {entry.sha256: (name, entry.size) for each in done.backups for name, entry in each.files.items()}
    done.contents = len(wanted)
    for number, (digest, (name, size)) in enumerate(sorted(wanted.items())):
        told("check", number, len(wanted))
        path = _object(folder, digest)
        if not path.is_file():
            done.damages.append(f"{name} is missing from the backup ({path}).")
        elif path.stat().st_size != size or file_digest(path) != digest:
            done.damages.append(f"{name} is damaged in the backup ({path}).")
    told("check", len(wanted), len(wanted))
    return done


def restore(settings: Settings, folder: Path, name: str | None = None, progress: Progress | None = None) -> Restored:
    """Put the newest backup of a folder, or the one of that name, into an empty CSPERF_HOME.

    Everything is copied and compared with its sha256 before anything is put in place; killed before that, nothing is
    to be seen, and killed in the instant between, every command but this one refuses to work. UsageError when
    CSPERF_HOME is not empty, CsperfError when the backup is damaged.
    """
    told, folder = progress or silent, folder.expanduser().resolve()
    found = _some(folder)
    backup = next((each for each in found if each.name == name), None) if name else found[-1]
    if backup is None:
        raise UsageError(f"{folder} has no backup {name}; it has {', '.join(each.name for each in found)}.")
    marker = settings.home / RESTORING
    with home_lock(settings, restoring=True), private_umask():
        tops = {PurePosixPath(path).parts[0] for path in backup.files}
        if marker.exists():  # killed while it put things in place: into a folder that was empty then
            for top in tops:
                shutil.rmtree(settings.home / top, ignore_errors=True)
        there = sorted({path.name for path in settings.home.iterdir()} - {settings.lock_path.name, "work", RESTORING})
        if there:
            raise UsageError(f"{settings.home} is not empty ({there[0]}); name an empty folder in CSPERF_HOME.")
        with scratch_dir(settings, "restore") as scratch:
            for number, (path, entry) in enumerate(sorted(backup.files.items())):
                told("restore", number, len(backup.files))
                _fetch(folder, path, entry, scratch / path)
            told("restore", len(backup.files), len(backup.files))
            for below in [*scratch.rglob("*"), scratch]:
                if below.is_dir():
                    fsync_dir(below)
            write_bytes(marker, b"")
            for top in sorted(tops):
                (scratch / top).rename(settings.home / top)
            fsync_dir(settings.home)
            marker.unlink()
            fsync_dir(settings.home)
    return Restored(backup, settings.home / PLANS if PLANS in tops else None)


def _records(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Each file to keep: its name in the backup and where it lies."""
    yield from _below(settings.home, "")
    own = settings.policy_dir
    if own is not None and not own.is_relative_to(settings.home):
        if (settings.home / PLANS).exists():
            raise UsageError(
                f"{settings.home / PLANS} is where the plans of CSPERF_POLICY_DIR would be restored to; name that "
                "folder in CSPERF_POLICY_DIR, or move it away."
            )
        for name, path in _below(own, ""):
            yield f"{PLANS}/{name}", path


def _below(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    """The files below a folder by their path from where it began; hidden ones are half written, or locks."""
    for entry in os.scandir(folder):
        path = f"{name}{entry.name}"
        if entry.name.startswith(".") or path in CACHES:
            continue
        if entry.is_dir():
            yield from _below(Path(entry.path), f"{path}/")
        elif entry.is_file():
            yield path, Path(entry.path)


def _store(folder: Path, source: Path, known: Entry | None, taken: Taken) -> Entry:
    """Have a file's content in the folder, copying it only when it is not there."""
    facts = source.stat()
    if known is not None and (known.size, known.changed) == (facts.st_size, facts.st_mtime_ns):
        kept = _object(folder, known.sha256)
        if kept.is_file() and kept.stat().st_size == known.size:
            return known
    handle, temporary = tempfile.mkstemp(dir=folder / OBJECTS, prefix=".")
    try:
        with os.fdopen(handle, "wb") as target:
            digest, size = _copy(source, target)
        place = _object(folder, digest)
        if not place.is_file() or place.stat().st_size != size:
            private_dir(place.parent)
            Path(temporary).replace(place)
            fsync_dir(place.parent)
            taken.copied += 1
            taken.copied_bytes += size
    finally:
        Path(temporary).unlink(missing_ok=True)
    return Entry(digest, size, facts.st_mtime_ns)


def _fetch(folder: Path, path: str, entry: Entry, target: Path) -> None:
    """Copy a file out of the backup; CsperfError when its content is not what it was."""
    private_dir(target.parent)
    kept = _object(folder, entry.sha256)
    try:
        with target.open("xb") as file:
            digest, _ = _copy(kept, file)
    except FileNotFoundError:
        digest = ""
    if digest != entry.sha256:
        raise CsperfError(
            f"{path} is {'damaged in' if digest else 'missing from'} the backup ({kept}); nothing was restored; take "
            "another backup, see csperf backup --check."
        )


def _copy(source: Path, target: Any) -> tuple[str, int]:
    """Copy a file's bytes to an open file and to the disk; the sha256 and number of the bytes that were written."""
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += target.write(chunk)
    target.flush()
    os.fsync(target.fileno())
    return digest.hexdigest(), size


def _object(folder: Path, digest: str) -> Path:
    return folder / OBJECTS / digest[:2] / digest


def _some(folder: Path) -> list[Backup]:
    found = backups(folder)
    if not found:
        raise UsageError(f"There is no backup in {folder}; name the folder that csperf backup --out was given.")
    return found


def _read(path: Path) -> Backup:
    try:
        content = json.loads(path.read_bytes())
        seal = content.pop("seal")
        if content["format"] != FORMAT or seal != _seal(content):
            raise ValueError("its seal does not fit")
        files = {name: Entry(*facts) for name, facts in content["files"].items()}
        return Backup(path, content["taken_at"], files)
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise CsperfError(
            f"The backup {path} cannot be read ({error}); move this file away to use the others."
        ) from None


def _seal(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json_bytes(content)).hexdigest()


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H%M%SZ")
