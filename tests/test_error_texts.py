"""What a library says when it stumbles over a figure is told without the figure."""

from __future__ import annotations

import duckdb
import pytest

from csperf import console
from csperf.errors import without_values
from csperf.orchestration.common import refusals_are_final


@pytest.mark.parametrize(
    "query",
    [
        "select '77123.45x'::decimal(18, 2)",
        "select 77123.45::decimal(4, 2)",
        "select 99999999999999999999999999977123.45::decimal(38, 2) * 77123.45::decimal(20, 2)",
        "create table pay (amount decimal(18, 2) primary key); insert into pay values (77123.45), (77123.45)",
        "select strptime('77123.45', '%Y')",
    ],
)
def test_an_error_of_the_database_quotes_no_amount(query: str, capsys: pytest.CaptureFixture[str]) -> None:
    with duckdb.connect() as con:

        @refusals_are_final
        def task() -> None:
            con.execute(query)

        with pytest.raises(duckdb.Error) as raised:
            con.execute(query)
        assert "77123" in str(raised.value)
        assert "77123" not in without_values(str(raised.value))
        with pytest.raises(RuntimeError) as of_the_task:
            task()
        assert "77123" not in str(of_the_task.value) and of_the_task.value.__suppress_context__
        with pytest.raises(SystemExit):
            console.run(lambda: con.execute(query), lambda: False)
        told = capsys.readouterr().err
        assert told.startswith("Unexpected ") and "77123" not in told


def test_places_names_and_dates_stay() -> None:
    text = 'column "base_2026" of models/pay_12345.sql, rev-001 of 2026-09 in /tmp/99999/x, LINE 3'
    assert without_values(text) == text
