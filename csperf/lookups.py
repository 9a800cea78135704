"""Who looked whose pay up: a log to which each look-up is added before anything is shown, and which is never rewritten.

Each line is JSON and holds the digest of the line before, and the newest digest is kept beside the log: a line that
was altered or taken away is noticed, wherever it stood. Whoever can write both files can still write both anew; a
digest that somebody else notes down (`csperf payroll lookups` ends with it) tells that too.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock

from csperf.approval import stamp
from csperf.errors import CsperfError, UsageError
from csperf.settings import Settings
from csperf.storage import PRIVATE_FILE, fsync_dir, private_dir, write_json

LOG = "lookups.jsonl"
HEAD = "lookups.head"
NO_LINE = "0" * 64
"""What stands for the digest of the line before the first."""
EVERYBODY = "*"


@dataclass(frozen=True)
class Lookup:
    """One look-up: when, by whom (the name given and the account), whose pay of which month, by which command."""

    at: str
    by: str
    account: str
    employee: str
    month: str
    kind: str
    why: str | None


@dataclass(frozen=True)
class Lookups:
    """What the log holds: its look-ups, sentences on what is wrong with it, the number and digest of its last line."""

    found: tuple[Lookup, ...]
    damages: tuple[str, ...]
    lines: int
    digest: str


def account() -> str:
    """The account of the operating system that runs this process; the environment has no say in it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container without such a user
        return str(os.getuid())


def record_lookup(
    settings: Settings,
    by: str,
    employee: str,
    month: object,
    kind: str,
    at: datetime,
    why: str | None = None,
) -> None:
    """Add a look-up to the log, flushed to disk when this returns. `employee` is EVERYBODY where all are shown.

    UsageError when nobody is named; CsperfError when the log cannot be written: nothing may be shown then.
    """
    name = " ".join(by.split())
    if not name:
        raise UsageError("Nobody is named as who asks; name yourself with --as NAME or in CSPERF_ASKED_BY.")
    content = {"at": stamp(at), "by": name, "account": account(), "employee": employee, "month": str(month)}
    content |= {"kind": kind, **({"why": " ".join(why.split())} if why else {})}
    folder = settings.payroll_dir
    try:
        private_dir(folder)
        with FileLock(folder / ".lookups.lock", mode=PRIVATE_FILE):
            lines = _whole_lines(folder / LOG)
            before = _digest(lines[-1]) if lines else NO_LINE
            line = json.dumps({**content, "before": before}, ensure_ascii=False).encode(errors="replace")
            _append(folder / LOG, line + b"\n")
            # Where lines are gone the count stays ahead of them, so that it is noticed from then on as well.
            count = max(len(lines), _head(folder / HEAD)[0]) + 1
            write_json(folder / HEAD, {"lines": count, "digest": _digest(line)})
    except OSError as error:
        raise CsperfError(
            f"The look-up cannot be recorded in {folder / LOG} ({error.strerror or error}), so nothing is shown; make "
            "the file writable."
        ) from None


def read_lookups(settings: Settings) -> Lookups:
    """The log as it is, with a sentence for each place where it is not as it was written."""
    path = settings.payroll_dir / LOG
    if not path.exists() and not (settings.payroll_dir / HEAD).exists():
        return Lookups((), (), 0, NO_LINE)
    with FileLock(private_dir(settings.payroll_dir) / ".lookups.lock", mode=PRIVATE_FILE):
        lines, head = _whole_lines(path), _head(settings.payroll_dir / HEAD)
    found, damages = [], []
    before = NO_LINE
    for number, line in enumerate(lines, start=1):
        try:
            content = json.loads(line)
            told = content.pop("before")
            found.append(Lookup(**{"why": None, **content}))
        except (ValueError, TypeError, KeyError, AttributeError):
            damages.append(f"{path}:{number} is no look-up as csperf writes it: the line was altered.")
        else:
            if told != before:
                damages.append(f"{path}:{number} does not follow the line before it: one was altered or taken away.")
        before = _digest(line)
    known, digest = head
    # A process that was killed between line and head leaves one line more; the next look-up counts it.
    if len(lines) < known or (known and _digest(lines[known - 1]) != digest) or (not known and len(lines) > 1):
        damages.append(
            f"{path} does not end as {HEAD} beside it says ({known:,} lines): lines were altered or taken away; "
            "compare it with a backup."
        )
    return Lookups(tuple(found), tuple(damages), len(lines), before)


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _whole_lines(path: Path) -> list[bytes]:
    """The lines of the log. What a killed process left of one, after which nothing was shown, is cut off."""
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(path, len(whole))
    return whole.split(b"\n")[:-1]


def _append(path: Path, line: bytes) -> None:
    fresh = not path.exists()
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE_FILE)
    try:
        if os.write(handle, line) != len(line):
            raise OSError("the disk is full")
        os.fsync(handle)
    finally:
        os.close(handle)
    if fresh:
        fsync_dir(path.parent)


def _head(path: Path) -> tuple[int, str]:
    """The number and digest of the last line as noted beside the log; nothing where there is no note."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return int(content["lines"]), str(content["digest"])
    except FileNotFoundError:
        return 0, NO_LINE
    except (ValueError, KeyError, TypeError):
        return 0, ""
