"""From figures to an approved revision: a draft that somebody else than its preparer approves and that is then
published as it stands.

Month and quarter go the same way. The draft is a private folder beside the revisions, `<period>/draft/`; what is
published are the draft's own files, so that nobody can approve one thing and publish another.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from csperf.errors import CsperfError, UsageError
from csperf.published import DRAFT, MANIFEST, Revision, check_files, draft, newest
from csperf.settings import Settings
from csperf.storage import fsync_dir, private_dir, publish_dir, scratch_dir, write_json


def put_draft(settings: Settings, root: Path, period: str, write: Callable[[Path], Mapping[str, Any]]) -> Revision:
    """Write the draft of a period, in the place of an older one.

    `write` puts the files into the folder it is given and returns the manifest, which is written beside them.
    """
    with scratch_dir(settings, "draft") as scratch:
        fresh = private_dir(scratch / "fresh")
        write_json(fresh / MANIFEST, dict(write(fresh)))
        drop_draft(settings, root, period)
        publish_dir(fresh, root / period / DRAFT)
    made = draft(root, period)
    assert made is not None  # it was renamed into place just now
    return made


def drop_draft(settings: Settings, root: Path, period: str) -> None:
    """Remove a period's draft, whole or not at all."""
    place = root / period / DRAFT
    if place.exists():
        with scratch_dir(settings, "dropped") as scratch:
            place.rename(scratch / DRAFT)
        fsync_dir(place.parent)


def check_approver(settings: Settings, approved_by: str, prepared_by: str) -> str:
    """The approver's name, trimmed; refused when it is empty or the preparer's own."""
    name = " ".join(approved_by.split())
    if not name:
        raise UsageError("Nobody is named as approver; name one with --approved-by or in CSPERF_APPROVER.")
    if name.casefold() in {prepared_by.casefold(), settings.preparer.casefold()}:
        raise CsperfError(f"{name} prepared the draft and cannot approve it as well; somebody else has to.")
    return name


def publish_draft(
    settings: Settings, root: Path, period: str, expected_digest: str, approved_by: str, approved_at: datetime
) -> Revision:
    """Publish the waiting draft as the next revision, if its figures are those that were approved.

    `expected_digest` is the digest that the approver saw. Called again after it has worked (a retry, a kill in
    between), it returns the revision there is. CsperfError when there is no such draft, its files were touched, or
    the approver is the preparer; nothing is published then.
    """
    waiting, last = draft(root, period), newest(root, period)
    if last is not None and last.figures_digest == expected_digest:
        drop_draft(settings, root, period)
        return last
    if waiting is None:
        raise CsperfError(f"There is no draft of {period} to publish; draft it first.")
    approver = check_approver(settings, approved_by, str(waiting.manifest["prepared_by"]))
    check_files(waiting)
    if waiting.figures_digest != expected_digest:
        raise CsperfError(
            f"The draft of {period} is not the one that was approved (digest {waiting.figures_digest[:12]}, approved "
            f"{expected_digest[:12]}); look at the new draft and approve that."
        )
    number = last.number + 1 if last else 1
    if waiting.number != number:
        raise CsperfError(f"The draft of {period} is for revision {waiting.number}, next is {number}; draft it again.")
    target = root / period / f"rev-{number:03d}"
    with scratch_dir(settings, "publish") as scratch:
        prepared = private_dir(scratch / target.name)
        for name in waiting.manifest["files"]:
            shutil.copy2(waiting.path / name, prepared / name)
        stamp = approved_at.astimezone(UTC).isoformat(timespec="seconds")
        approval = {"status": "published", "approved_by": approver, "approved_at": stamp}
        write_json(prepared / MANIFEST, {**waiting.manifest, **approval})
        publish_dir(prepared, target)
    drop_draft(settings, root, period)
    done = newest(root, period)
    assert done is not None and done.number == number
    return done
