"""Known vulnerabilities of the locked packages, or, where no advisories can be had, how old the lock is.

`make audit` asks PyPI's advisories, then those of OSV, through pip-audit; a network that knows neither is told apart
from a clean answer. A vulnerability with a fixed version fails unless `accepted_vulnerabilities.yaml` says why not.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from scripts.stack import ROOT

LOCK = ROOT / "requirements.lock"
ACCEPTED = ROOT / "scripts" / "accepted_vulnerabilities.yaml"
SERVICES = {"pypi": "PyPI's advisories", "osv": "OSV's advisories"}
OLD_DAYS = 90


@dataclass(frozen=True)
class Finding:
    """A known vulnerability of a locked version; `fixed_in` are the versions without it (none yet: empty)."""

    package: str
    version: str
    ids: tuple[str, ...]
    fixed_in: tuple[str, ...]

    def __str__(self) -> str:
        remedy = f"fixed in {', '.join(self.fixed_in)}" if self.fixed_in else "no fixed version yet"
        return f"{self.package} {self.version}: {self.ids[0]}, {remedy}"


@dataclass(frozen=True)
class Audit:
    """What a service knows of a lock: how many of its packages it was asked about and knew, and what it found."""

    asked: int
    known: int
    findings: tuple[Finding, ...]


def ask(lock: Path, service: str) -> Audit | None:
    """Ask a service about every package of a lock; None when it does not answer, or knows nothing at all."""
    first = re.search(r"(?m)^[\w.-]+==(?:.*\\\n)*.*", lock.read_text())
    if first is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        probe = (
            Path(folder) / "first.txt"
        )  # one package first: a network without the service takes seconds, not minutes
        probe.write_text(f"{first[0]}\n")
        answer = _pip_audit(probe, service)
    if answer is None or not answer.known:
        return None
    return _pip_audit(lock, service)


def judge(audit: Audit, accepted: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """What fails, and what is only told, a sentence each."""
    fails, told = [], []
    for finding in audit.findings:
        reason = next((accepted[each] for each in finding.ids if each in accepted), None)
        if reason is not None:
            told.append(f"{finding}; accepted: {reason}")
        elif finding.fixed_in:
            fails.append(f"{finding}; run make lock, or say in {ACCEPTED.name} why it does not concern us.")
        else:
            told.append(f"{finding}.")
    return fails, told


def lock_age(lock: Path, now: datetime) -> int:
    """Days since the lock was last resolved: since its last commit, or where there is none since it was written."""
    command = ["git", "log", "-1", "--format=%cI", "--", lock.name]
    try:
        stamp = subprocess.run(command, cwd=lock.parent, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        stamp = ""
    at = datetime.fromisoformat(stamp) if stamp else datetime.fromtimestamp(lock.stat().st_mtime, UTC)
    return max((now - at).days, 0)


def _pip_audit(requirements: Path, service: str) -> Audit | None:
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(requirements), "--require-hashes"]
    command += ["--disable-pip", "--vulnerability-service", service, "--format", "json", "--timeout", "10"]
    command += ["--progress-spinner", "off", "--cache-dir", str(ROOT / ".uv" / "audit")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return None
    known = [package for package in packages if "skip_reason" not in package]
    findings = [
        Finding(package["name"], package["version"], (each["id"], *each["aliases"]), tuple(each["fix_versions"]))
        for package in known
        for each in package["vulns"]
    ]
    return Audit(len(packages), len(known), tuple(findings))


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when nothing known and mendable is locked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--service", choices=SERVICES, action="append", help="ask this one only")
    given = parser.parse_args(arguments)
    for service in given.service or SERVICES:
        audit = ask(LOCK, service)
        if audit is not None:
            accepted = yaml.safe_load(ACCEPTED.read_text()) or {}
            fails, told = judge(audit, accepted)
            print(f"audit: {audit.known} of {audit.asked} locked packages looked up in {SERVICES[service]}.")
            print("".join(f"audit: {line}\n" for line in [*told, *fails]), end="")
            return 1 if fails else 0
    age = lock_age(LOCK, datetime.now(UTC))
    print(f"audit: no advisories can be had from here; requirements.lock was resolved {age} days ago.")
    if age > OLD_DAYS:
        print(f"audit: warning: that is more than {OLD_DAYS} days; run make lock and the suite.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
