"""The faults of `make faults` in their short form: a few of each kind, all survived without loss or doubling."""

from __future__ import annotations

import random
from pathlib import Path

from tests.faults.__main__ import KILLS_SHORT, SEED, SHORT_STEPS, plan
from tests.faults.company import Company
from tests.faults.results import table


def test_a_few_faults_of_each_kind_lose_and_double_nothing(tmp_path: Path) -> None:
    company = Company(tmp_path, SHORT_STEPS).prepare()
    faults = plan(company, True, KILLS_SHORT, random.Random(SEED))
    results = [result for _, fault in faults for result in fault()]
    assert all(result.survived and result.times for result in results), f"seed {SEED}\n{table(results)}"
    kills = sum(result.times for result in results if result.fault.startswith("kill -9"))
    assert kills >= KILLS_SHORT
