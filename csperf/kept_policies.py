"""The policies as a record: every set of plan files that pay was ever computed by, kept whole and content-addressed.

    policies/<digest>/<plan>.yaml, policies/<digest>/shared/<part>.yaml

A build keeps the plan files it is about to use and computes from that copy, so that whatever is drafted and published
later rests on files that are there and stay. A folder never changes; its name is the digest of what it holds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from csperf.errors import CsperfError
from csperf.policy.library import Library, load_plans, plan_files
from csperf.settings import Settings
from csperf.storage import PRIVATE_FILE, file_digest, private_dir, publish_dir, scratch_dir

_SHARED = "shared"
_LOADED: dict[str, Library] = {}


def keep_policies(settings: Settings) -> tuple[str, Library]:
    """Keep the plan files in force by the settings; returns their digest and the plans as read from the copy.

    PolicyError when a file cannot be used: nothing is kept then. CsperfError when the copy that is there is damaged.
    """
    contents = {path.name: path.read_bytes() for path in plan_files(settings)}
    contents |= {f"{_SHARED}/{path.name}": path.read_bytes() for path in plan_files(settings, _SHARED)}
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    digest = _digest(files)
    target = settings.policies_dir / digest
    if target.is_dir():
        damaged = damages(settings, digest, files)
        if damaged:
            raise CsperfError(damaged[0])
        return digest, kept_plans(settings, digest)
    with scratch_dir(settings, "policies") as scratch:
        prepared = scratch / digest
        for folder in (prepared, prepared / _SHARED):
            private_dir(folder)
        for name, content in contents.items():
            (prepared / name).write_bytes(content)
            (prepared / name).chmod(PRIVATE_FILE)
        _LOADED[digest] = load_plans(settings.model_copy(update={"policy_dir": prepared, "shipped_plans": False}))
        publish_dir(prepared, target)
    return digest, kept_plans(settings, digest)


def kept_plans(settings: Settings, digest: str) -> Library:
    """The plans of a kept set; read once in a process, for a set never changes."""
    if digest not in _LOADED:
        _LOADED[digest] = load_plans(by_policies(settings, digest))
    return _LOADED[digest]


def by_policies(settings: Settings, digest: str) -> Settings:
    """The settings with a kept set of policies in the place of what is in force now."""
    return settings.model_copy(update={"policy_dir": settings.policies_dir / digest, "shipped_plans": False})


def kept_files(settings: Settings, digest: str) -> dict[str, str]:
    """The sha256 of each file of a kept set by its name; empty when there is no such set."""
    folder = settings.policies_dir / digest
    found = sorted(folder.glob("*.yaml")) + sorted((folder / _SHARED).glob("*.yaml"))
    return {str(path.relative_to(folder)): file_digest(path) for path in found}


def damages(settings: Settings, digest: str, files: Mapping[str, str]) -> list[str]:
    """A sentence for each file of a kept set that is not as `files` (sha256 by name) has it; none when all are."""
    folder: Path = settings.policies_dir / digest
    now = kept_files(settings, digest)
    told = []
    for name in sorted({*files, *now}):
        if name not in now:
            told.append(f"{folder / name} is missing from the kept policies; restore it from a backup.")
        elif name not in files:
            told.append(f"{folder / name} was added to the kept policies; remove it.")
        elif now[name] != files[name]:
            told.append(f"{folder / name} differs from the policy that was used; restore it from a backup.")
    return told


def _digest(files: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
