"""What was told to whom, so that nothing is told twice, and what still waits for a target that could not be reached."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from filelock import FileLock

from csperf.notify.notices import Notice
from csperf.notify.targets import Sent, Target
from csperf.settings import Settings
from csperf.storage import PRIVATE_FILE, make_home, private_dir, write_json

# What is older is forgotten: nobody runs nights of the year before again day by day.
KEPT = timedelta(days=400)
MOST_WAITING = 200


class Record:
    """The record as read; `open_record` writes it back. Targets stand in it by a digest, never by their URL."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._told: dict[str, dict[str, str]] = content.get("told", {})
        self._waiting: dict[str, list[dict[str, Any]]] = content.get("waiting", {})
        self._trouble: dict[str, dict[str, str]] = content.get("trouble", {})

    def due(self, target: Target, notices: Iterable[Notice]) -> list[Notice]:
        """What the target has to be told now: what waits for it, and of `notices` what it has not been told."""
        told = self._told.get(target.id, {})
        waiting = [Notice.of_record(each) for each in self._waiting.get(target.id, ())]
        wanted = [notice for notice in notices if notice.event in target.events]
        return list({notice.key: notice for notice in (*waiting, *wanted) if notice.key not in told}.values())

    def went(self, target: Target, notices: Iterable[Notice], at: datetime) -> None:
        """The target has been told these."""
        keys = {notice.key for notice in notices}
        self._told.setdefault(target.id, {}).update({key: _stamp(at) for key in keys})
        left = [each for each in self._waiting.get(target.id, ()) if each["key"] not in keys]
        self._waiting[target.id] = left
        self._trouble.pop(target.id, None)

    def failed(self, sent: Sent, notices: Iterable[Notice], at: datetime) -> None:
        """The target could not be told these: they wait, the newest of them if there are too many."""
        known = {each["key"]: each for each in self._waiting.get(sent.target.id, ())}
        known.update({notice.key: notice.as_record() for notice in notices})
        self._waiting[sent.target.id] = list(known.values())[-MOST_WAITING:]
        self._trouble[sent.target.id] = {"at": _stamp(at), "why": sent.why}

    def keep(self, targets: Iterable[Target]) -> None:
        """Nothing waits any more for a target that is not among these."""
        ids = {target.id for target in targets}
        self._waiting = {target: notices for target, notices in self._waiting.items() if target in ids}
        self._trouble = {target: trouble for target, trouble in self._trouble.items() if target in ids}

    def reached(self, target: Target) -> None:
        """The target answers again."""
        self._trouble.pop(target.id, None)

    def trouble(self, target: Target) -> tuple[str, str, int] | None:
        """Since when a target was last not reached, why, and how many notices wait for it."""
        found = self._trouble.get(target.id)
        return (found["at"], found["why"], len(self._waiting.get(target.id, ()))) if found else None

    def content(self, at: datetime) -> dict[str, Any]:
        """What is written back: without what is too old."""
        oldest = _stamp(at - KEPT)
        told = {
            target: {key: when for key, when in keys.items() if when >= oldest} for target, keys in self._told.items()
        }
        waiting = {target: notices for target, notices in self._waiting.items() if notices}
        return {"told": told, "waiting": waiting, "trouble": self._trouble}


def read_record(settings: Settings) -> Record:
    """The record as it is; an empty one when there is none, or none that can be read."""
    try:
        return Record(json.loads((settings.notify_dir / "told.json").read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, AttributeError):
        return Record({})


@contextmanager
def open_record(settings: Settings, at: datetime) -> Iterator[Record]:
    """The record, held alone and written back afterwards, whatever happens in between."""
    make_home(settings)
    lock = FileLock(private_dir(settings.notify_dir) / ".lock", mode=PRIVATE_FILE, timeout=300)
    with lock:
        record = read_record(settings)
        try:
            yield record
        finally:
            write_json(settings.notify_dir / "told.json", record.content(at))


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
