"""The journal of a dataset's date: which rows left its quarantine, when, why and by whom; nothing is ever taken out.

One line of JSON an entry, in `landing/<dataset>/<date>/journal.jsonl`. Each holds the digest of the line before it, so
that a line that was changed or removed is noticed. Rows are named by their id, which is made of their content: a row
that is delivered again as it was has the same one, and equal rows of a delivery share it. The rows themselves stay in
the landed versions, none of which is ever deleted.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from csperf.errors import CsperfError
from csperf.storage import write_bytes

JOURNAL = "journal.jsonl"
Action = Literal["discarded", "replayed", "came back", "delivered again"]


@dataclass(frozen=True)
class Entry:
    """What happened to rows of a quarantine; `rows` counts them by id.

    `discarded`: waived for good, by a person. `replayed`: checked again by a person's command. `came back`: taken up
    by themselves, for what they waited for has come. `delivered again`: another delivery took the place of theirs.
    `before` and `after` are the landed versions (also refused ones) that had them and that have them no more.
    """

    at: str
    by: str
    action: Action
    why: str
    rows: Mapping[str, int]
    before: str | None = None
    after: str | None = None


def read_journal(folder: Path) -> list[Entry]:
    """The entries of a date, oldest first; CsperfError when a line was changed or removed."""
    return _parse(folder / JOURNAL, _lines(folder))


def append(folder: Path, entry: Entry) -> None:
    """Add an entry; one that only repeats the last (a run that was killed and started again) is not added."""
    lines = _lines(folder)
    entries = _parse(folder / JOURNAL, lines)
    if entries and entries[-1] == _with(entry, entries[-1].at):
        return
    previous = _digest(lines[-1]) if lines else None
    line = json.dumps({**asdict(entry), "previous": previous}, ensure_ascii=False, sort_keys=True).encode()
    write_bytes(folder / JOURNAL, b"".join(each + b"\n" for each in [*lines, line]))


def discards(folder: Path) -> Counter[str]:
    """How many rows of each id were discarded."""
    found = Counter[str]()
    if (folder / JOURNAL).exists():
        for entry in read_journal(folder):
            if entry.action == "discarded":
                found.update(entry.rows)
    return found


def waived(found: Counter[str]) -> str | None:
    """A digest of discards; None when there are none."""
    return _digest(json.dumps(sorted(found.items())).encode()) if found else None


def _lines(folder: Path) -> list[bytes]:
    try:
        return (folder / JOURNAL).read_bytes().splitlines()
    except FileNotFoundError:
        return []


def _parse(path: Path, lines: list[bytes]) -> list[Entry]:
    entries, previous = [], None
    for number, line in enumerate(lines, start=1):
        try:
            content = json.loads(line)
            told = content.pop("previous")
            entries.append(Entry(**content))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise CsperfError(f"{path} is damaged in line {number}; restore it from a backup.") from None
        if told != previous:
            raise CsperfError(f"{path} was changed before line {number}; restore it from a backup.")
        previous = _digest(line)
    return entries


def _with(entry: Entry, at: str) -> Entry:
    return Entry(**{**asdict(entry), "at": at})


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()
