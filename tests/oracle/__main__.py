"""`python -m tests.oracle --seeds 20`: random companies through the pipeline, each figure against the calculation."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.oracle.calculation import calculate
from tests.oracle.comparison import compare
from tests.oracle.pipeline import run_company
from tests.oracle.random_company import FIRST, LAST, MONTHS, write_random_company

APPROVED = ("2022Q4", "2023Q1", "2023Q2", "2023Q3")
PUBLISHED = ("2023-05", "2023-06", "2023-07")


def main() -> int:
    """0 when both sides agree on everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="how many companies")
    parser.add_argument("--from", dest="first", type=int, default=1, help="the first seed")
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--plans", help="codes with commas between; else each seed draws some")
    parser.add_argument("--keep", type=Path, help="a folder for the companies and their warehouses, kept")
    parser.add_argument("--shown", type=int, default=40, help="differences shown of each table")
    options = parser.parse_args()
    plans = options.plans.split(",") if options.plans else None
    values, different = Counter[str](), Counter[str]()
    for seed in range(options.first, options.first + options.seeds):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as temporary:
            root = (options.keep or Path(temporary)) / f"seed-{seed}"
            company = write_random_company(root / "source", seed, options.people, plans)
            settings = run_company(root / "home", company.root, FIRST, LAST, APPROVED, PUBLISHED)
            calculated = calculate(company.root, MONTHS, approved=APPROVED, published=PUBLISHED)
            for found in compare(settings.warehouse_path, calculated):
                values[found.table] += found.values
                different[found.table] += len(found.different)
                for line in found.different[: options.shown]:
                    print(f"seed {seed}: {line}")
        print(f"seed {seed}: {time.monotonic() - began:.0f} s", flush=True)
    for table, number in values.items():
        print(f"{table}: {number} values compared, {different[table]} rows differ")
    return 1 if different.total() else 0


if __name__ == "__main__":
    sys.exit(main())
