"""Fixtures that several test files share."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest
from hypothesis import settings as hypothesis_settings

# Airflow makes its home when it is imported: not in the user's.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="csperf-airflow-")

from csperf import nightly
from csperf.demo import DemoReport, write_demo
from csperf.settings import Settings

# One commit, one verdict: the suite tries the same examples each time. HYPOTHESIS_PROFILE=search draws new ones.
hypothesis_settings.register_profile("suite", derandomize=True)
hypothesis_settings.register_profile("search")
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


@dataclass(frozen=True)
class Company:
    """A small demo company that a nightly run has taken in: read it, don't change it."""

    settings: Settings
    demo: DemoReport
    run: nightly.RunReport
    first: date
    last: date


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """Twelve people over five days; the calls of the second day (a good delivery) were never delivered."""
    root = tmp_path_factory.mktemp("company")
    first, last = date(2026, 6, 29), date(2026, 7, 3)
    demo = write_demo(root / "source", 12, first, last, seed=11)
    (demo.out / "calls" / "2026-06-30.csv").unlink()
    settings = Settings(home=root / "home")
    run = nightly.run(settings, first, last, str(demo.out), extracted_at=datetime(2026, 7, 4, tzinfo=UTC))
    return Company(settings, demo, run, first, last)


@pytest.fixture(scope="session", autouse=True)
def _nothing_from_outside() -> Iterator[None]:
    """Tests see only the settings that they set themselves, and an ordinary account's umask."""
    os.umask(0o022)
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("CSPERF_"):
                patch.delenv(name)
        yield


# Files that take minutes, the longest first: begun last, one of them would keep a single process busy to the end.
LONGEST = (
    "end_to_end",
    "test_ledger_scenario",
    "test_independent",
    "test_faults",
    "test_publication_killed",
    "test_verify",
    "test_cli",
)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever uses the shared company, or server, runs in one process, so that it is made once (xdist, loadgroup)."""
    items.sort(key=lambda item: next((n for n, name in enumerate(LONGEST) if name in str(item.path)), len(LONGEST)))
    for item in items:
        for shared in ("company", "server"):
            if shared in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group(shared))
