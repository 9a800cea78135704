"""A few of the deliveries made at random; `make fuzz` tries many."""

from __future__ import annotations

from tests.fuzz import fuzz


def test_no_delivery_breaks_anything_and_no_row_is_lost() -> None:
    fuzz(5, derandomize=True)
