"""Computing from the records as they were (given landed versions, a kept set of policies, the revisions published by
then) or as they are but for the plans, in a home of its own that is thrown away afterwards.

Nothing is copied but, if asked for, the warehouse: the scratch home reads the landed files and published revisions
where they lie.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from csperf import warehouse
from csperf.basis import Basis, Before, record
from csperf.datasets import DATASETS
from csperf.kept_policies import by_policies
from csperf.landing import Partition, partition, partitions, past
from csperf.periods import Month
from csperf.progress import Progress
from csperf.settings import Settings
from csperf.storage import private_dir, scratch_dir


class Replay:
    """A scratch home. Several builds in it share what they have in common, as nights share one warehouse."""

    def __init__(self, settings: Settings, home: Path, from_nothing: bool) -> None:
        self._settings = settings
        self._home = home
        self._from_nothing = from_nothing
        private_dir(home)
        if not from_nothing:
            private_dir(self._own().warehouse_path.parent)
            shutil.copy2(settings.warehouse_path, self._own().warehouse_path)

    def build(self, basis: Basis, month: Month, progress: Progress | None = None) -> Settings:
        """Build the scratch warehouse from a basis; returns the settings to read it with.

        `month` is the one of interest: what is landed for later days is left out, or, in a copy of the warehouse, left
        as it is. CsperfError when a landed version is gone.
        """
        self._link(basis.payroll, basis.tiers)
        landed = [
            self._landed(name, date.fromisoformat(day), each.version)
            for name, days in basis.inputs.items()
            for day, each in days.items()
        ]
        if not self._from_nothing:
            landed += [
                part
                for part in partitions(self._settings)
                if (DATASETS[part.dataset].kind == "daily" or part.dataset == "employees")
                and part.business_date > month.last_day
                and str(part.business_date) not in basis.inputs.get(part.dataset, {})
            ]
        reading = by_policies(self._settings, basis.policies)
        settings = reading.model_copy(update={"home": self._home})
        warehouse.build(settings, progress, landed)
        return settings

    def build_now(self, policy_dir: Path | None, progress: Progress | None = None) -> Settings:
        """Build the scratch warehouse from today's records with a folder of plans in the place of CSPERF_POLICY_DIR.

        Returns the settings to read it with. In a copy of the warehouse the plans of now leave nothing to be built.
        """
        self._link(record(self._settings.payroll_dir), record(self._settings.tiers_dir))
        settings = self._own().model_copy(update={"policy_dir": policy_dir})
        warehouse.build(settings, progress, partitions(self._settings))
        return settings

    def _link(self, payroll: Mapping[str, Before], tiers: Mapping[str, Before]) -> None:
        """Have those published revisions in the scratch home, and no others."""
        own = self._own()
        for root, kept, periods in (
            (self._settings.payroll_dir, own.payroll_dir, payroll),
            (self._settings.tiers_dir, own.tiers_dir, tiers),
        ):
            _link_revisions(root, kept, periods)

    def _own(self) -> Settings:
        return self._settings.model_copy(update={"home": self._home})

    def _landed(self, dataset: str, day: date, version: str) -> Partition:
        now = partition(self._settings, dataset, day)
        return now if now is not None and now.version == version else past(self._settings, dataset, day, version)


@contextmanager
def replay(settings: Settings, from_nothing: bool = True) -> Iterator[Replay]:
    """A scratch home, removed afterwards. Its warehouse starts from nothing or as a copy of the present one.

    To be used while CSPERF_HOME is locked: scratch space belongs to whoever holds the lock.
    """
    with scratch_dir(settings, "replay") as folder:
        yield Replay(settings, folder / "home", from_nothing)


def _link_revisions(root: Path, kept: Path, periods: Mapping[str, Before]) -> None:
    shutil.rmtree(kept, ignore_errors=True)
    for period, newest in periods.items():
        private_dir(kept / period)
        for number in range(1, newest.revision + 1):
            name = f"rev-{number:03d}"
            (kept / period / name).symlink_to(root / period / name, target_is_directory=True)
