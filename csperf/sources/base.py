"""The face of a source: which datasets it yields, and one dataset's rows for some dates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Protocol

from csperf.datasets import Dataset
from csperf.sources.spool import Spool


class Source(Protocol):
    """Where deliveries come from. `name` is shown in manifests and holds no secret."""

    name: str

    def datasets(self) -> list[str]:
        """Names of the datasets that this source yields, in the order of `csperf.datasets.DATASETS`."""

    def extract(self, dataset: Dataset, dates: Sequence[date], spool: Path) -> Spool:
        """The dataset's rows for `dates`, written under the folder `spool`, in bounded memory.

        What is wrong with a delivery or a row is told in the Spool; a CsperfError is raised only when the source
        itself cannot be reached or is set up wrongly.
        """
