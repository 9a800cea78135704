"""Publication killed at random: whatever the moment, the old or the new is there, and the next try ends right."""

from __future__ import annotations

import random
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from csperf import closing
from csperf.errors import CsperfError
from csperf.periods import Month
from csperf.published import check_files, draft, revisions
from csperf.settings import Settings
from tests.faults.forked import Forked
from tests.worked_warehouse import Worked

JULY = Month(2026, 7)
WHEN = datetime(2026, 8, 21, 8, 30, tzinfo=UTC)
TIMES = 50


def publish(home: Path, digest: str) -> None:
    closing.publish_month(Settings(home=home), JULY, digest, "Demo Director", WHEN)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home whose July waits for approval, and the digest of the draft."""
    home = tmp_path_factory.mktemp("prepared") / "home"
    settings = Settings(home=home)
    Worked({"2026-07": {"E1": {"base_pay": "3000.00", "performance_pay": "175.25"}}}).write(settings)
    return home, closing.draft_month(settings, JULY, WHEN).digest


def contents(home: Path) -> dict[str, bytes]:
    found = [path for path in (home / "payroll").rglob("*") if path.is_file()]
    return {str(path.relative_to(home)): path.read_bytes() for path in found}


def test_a_publication_killed_at_any_time_leaves_the_old_or_the_new_and_is_finished_by_the_next_try(
    prepared: tuple[Path, str], tmp_path: Path
) -> None:
    source, digest = prepared
    shutil.copytree(source, tmp_path / "first")
    Forked(publish, tmp_path / "first", digest).ended()  # the server's own start is not to be measured
    shutil.copytree(source, tmp_path / "whole")
    needed = Forked(publish, tmp_path / "whole", digest).ended().seconds
    whole = contents(tmp_path / "whole")
    assert any("rev-001" in name for name in whole) and not any("draft" in name for name in whole)

    chance, ended, published = random.Random(7), {"killed": 0, "done": 0}, 0
    for number in range(TIMES):
        home = tmp_path / str(number)
        shutil.copytree(source, home)
        done = Forked(publish, home, digest).killed_after(chance.uniform(0, needed))
        ended["killed" if done.killed else "done"] += 1
        settings = Settings(home=home)
        found = revisions(settings.payroll_dir, JULY)
        published += len(found)
        for revision in found:
            check_files(revision)
        assert found or draft(settings.payroll_dir, JULY) is not None
        publish(home, digest)
        assert contents(home) == whole
        with pytest.raises(CsperfError, match="changed since they were approved"):
            publish(home, "another")
        shutil.rmtree(home)
    assert ended["killed"] > TIMES / 2, ended
    assert published < TIMES
