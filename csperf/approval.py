"""From figures to a published revision: draft, approved, published.

Month and quarter go the same way. The draft is a private folder beside the revisions, `<period>/draft/`; somebody else
than its preparer approves it, and what is published are the draft's own files, so that nobody can approve one thing
and publish another. A refused draft stays a draft, with who refused it, when and why.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from csperf import gate
from csperf.errors import CsperfError, UsageError
from csperf.published import DRAFT, Revision, check_files, draft, newest, write_manifest
from csperf.settings import Settings
from csperf.storage import fsync_dir, private_dir, publish_dir, scratch_dir

_OF_AN_APPROVAL = ("approved_by", "approved_at", "override")


def put_draft(
    settings: Settings, root: Path, period: str, at: datetime, write: Callable[[Path], Mapping[str, Any]]
) -> Revision:
    """Write the draft of a period, in the place of an older one, whose refusals it takes over.

    `write` puts the files into the folder it is given and returns the manifest, which is written beside them with who
    prepared it and `at`.
    """
    before = draft(root, period)
    with scratch_dir(settings, "draft") as scratch:
        fresh = private_dir(scratch / "fresh")
        manifest = dict(write(fresh))
        told = before.manifest.get("refusals", []) if before and before.number == manifest["revision"] else []
        prepared = {"status": "draft", "prepared_by": settings.preparer, "prepared_at": stamp(at)}
        write_manifest(fresh, {**manifest, **prepared, "refusals": told})
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


def refuse_draft(
    root: Path, period: str, expected_digest: str | None, refused_by: str, refused_at: datetime, reason: str
) -> Revision:
    """Keep with the waiting draft that somebody refused it, when and why; it is a draft again.

    `expected_digest` is the digest that was refused (None: whatever waits). CsperfError when there is no such draft,
    UsageError when name or reason is empty.
    """
    waiting = draft(root, period)
    name, why = " ".join(refused_by.split()), " ".join(reason.split())
    if not name or not why:
        raise UsageError("A refusal needs who refuses and the reason.")
    if waiting is None or expected_digest not in (None, waiting.figures_digest):
        raise CsperfError(f"There is no such draft of {period} to refuse; it was published or drafted again.")
    told = [*waiting.manifest.get("refusals", []), {"by": name, "at": stamp(refused_at), "reason": why}]
    content = {key: value for key, value in waiting.manifest.items() if key not in _OF_AN_APPROVAL}
    write_manifest(waiting.path, {**content, "status": "draft", "refusals": told})
    done = draft(root, period)
    assert done is not None
    return done


def check_approver(settings: Settings, approved_by: str, prepared_by: str, listed: Collection[str] = ()) -> str:
    """The approver's name, trimmed; refused when it is empty, the preparer's own or among those `listed`.

    `listed` are the numbers and names of everyone who is paid or graded by what is approved; a setting lets them.
    """
    name = " ".join(approved_by.split())
    if not name:
        raise UsageError("Nobody is named as approver; name one with --approved-by or in CSPERF_APPROVER.")
    if _plain(name) in {_plain(prepared_by), _plain(settings.preparer)}:
        raise CsperfError(f"{name} prepared the draft and cannot approve it as well; somebody else has to.")
    allowed = approvers(settings)
    if allowed and _plain(name) not in set(map(_plain, allowed)):
        raise CsperfError(f"{name} is not among those who may approve ({', '.join(allowed)}); see CSPERF_APPROVERS.")
    if not settings.approver_on_list and _plain(name) in set(map(_plain, listed)):
        raise CsperfError(
            f"{name} is on the list and cannot approve it; somebody else has to, unless CSPERF_APPROVER_ON_LIST=true."
        )
    return name


def approvers(settings: Settings) -> dict[str, str]:
    """Who alone may approve, by name, each with his user id in Airflow ("" where it is not given); empty: anybody."""
    found = {}
    for entry in (settings.approvers or "").split(","):
        name, _, user_id = entry.partition(":")
        if " ".join(name.split()):
            found[" ".join(name.split())] = user_id.strip()
    return found


def _plain(name: str) -> str:
    """A name as names are compared: without regard to case and spaces around and between."""
    return " ".join(name.split()).casefold()


def publish_draft(
    settings: Settings,
    root: Path,
    period: str,
    expected_digest: str,
    approved_by: str,
    approved_at: datetime,
    published_at: datetime,
    listed: Collection[str] = (),
    override: str | None = None,
) -> Revision:
    """Publish the waiting draft as the next revision, if its figures are those that were approved.

    `expected_digest` is the digest that the approver saw, `listed` as in `check_approver`, `override` why he publishes
    against the release gate. The draft is marked as approved first. Called again after it has worked (a retry, a kill
    in between), it returns the revision there is. CsperfError when there is no such draft, its files were touched, the
    gate stops it or the approver may not approve it; nothing is published then.
    """
    waiting, last = draft(root, period), newest(root, period)
    if last is not None and last.figures_digest == expected_digest:
        drop_draft(settings, root, period)
        return last
    if waiting is None:
        raise CsperfError(f"There is no draft of {period} to publish; draft it first.")
    approver = check_approver(settings, approved_by, str(waiting.manifest["prepared_by"]), listed)
    check_files(waiting)
    if waiting.figures_digest != expected_digest:
        raise CsperfError(
            f"The draft of {period} is not the one that was approved (digest {waiting.figures_digest[:12]}, approved "
            f"{expected_digest[:12]}); look at the new draft and approve that."
        )
    number = last.number + 1 if last else 1
    if waiting.number != number:
        raise CsperfError(f"The draft of {period} is for revision {waiting.number}, next is {number}; draft it again.")
    found = waiting.manifest.get("gate", {})
    stops = gate.refused(found, override)
    if stops:
        raise CsperfError("\n".join(stops))
    approval: dict[str, Any] = {"status": "approved", "approved_by": approver, "approved_at": stamp(approved_at)}
    if override is not None and found.get("blocked"):
        approval["override"] = {
            "by": approver,
            "at": stamp(approved_at),
            "reason": " ".join(override.split()),
            "overridden": [each["sentence"] for each in found["blocked"]],
        }
    write_manifest(waiting.path, {**waiting.manifest, **approval})
    target = root / period / f"rev-{number:03d}"
    with scratch_dir(settings, "publish") as scratch:
        prepared = private_dir(scratch / target.name)
        for name in waiting.manifest["files"]:
            shutil.copy2(waiting.path / name, prepared / name)
        done = {**waiting.manifest, **approval, "status": "published", "published_at": stamp(published_at)}
        write_manifest(prepared, done)
        publish_dir(prepared, target)
    drop_draft(settings, root, period)
    made = newest(root, period)
    assert made is not None and made.number == number
    return made


def stamp(at: datetime) -> str:
    """A time as the records have it: UTC, to the second."""
    return at.astimezone(UTC).isoformat(timespec="seconds")
