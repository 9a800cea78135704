"""A company of few rows for tests of the ledger: builds are quick, and every amount can be worked by hand.

On the main scheme without QA reviews the coefficient is 1.2 (vip 1.5), so with n chats and a month's full attendance
performance pay is (n × 1.2 + 100) × 0.5 and base pay 3000.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from csperf.periods import Month
from csperf.policy.library import plan_files
from csperf.settings import Settings
from tests.landing_files import attendance, employee, land, session

START = "1900-01-01"


def scheme(settings: Settings, *versions: tuple[str, Mapping[str, str]]) -> None:
    """The company's own main scheme: the shipped one, in versions by their start, each with texts replaced."""
    assert settings.policy_dir is not None
    settings.policy_dir.mkdir(exist_ok=True)
    shipped = next(path for path in plan_files(Settings()) if path.name == "cs_2017.yaml").read_text(encoding="utf-8")
    head, version = shipped.split(f"  - effective_from: {START}\n")
    text = head
    for start, changes in versions:
        changed = version
        for old, new in changes.items():
            assert changed.count(old) == 1, old
            changed = changed.replace(old, new)
        text += f"  - effective_from: {start}\n{changed}"
    (settings.policy_dir / "cs_2017.yaml").write_text(text, encoding="utf-8")


def people(settings: Settings, month: Month, *rows: Mapping[str, Any]) -> None:
    """The roster as of a month's last day, and everybody's attendance on that day."""
    day = month.last_day
    land(settings, "employees", day, [employee(**row) for row in rows])
    land(settings, "attendance", day, [attendance(row["employee_id"], day) for row in rows])


def chats(settings: Settings, month: Month, **counts: int) -> None:
    """So many chats of each agent on a month's last day; delivered again they replace the day's."""
    day = month.last_day
    rows = [
        session(f"{month}-{who}-{number}", who, f"{day}T{9 + number // 60:02d}:{number % 60:02d}:00+08:00")
        for who, count in counts.items()
        for number in range(count)
    ]
    land(settings, "chat_sessions", day, rows)


def disputes(settings: Settings, day: date, *rows: Mapping[str, Any]) -> None:
    """All disputes as known on a day."""
    land(settings, "disputes", day, rows)


def record_files(folder: Path) -> dict[str, bytes]:
    """Every file of the published revisions below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("*/rev-*/*")}
