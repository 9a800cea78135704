"""What tasks do with refusals and progress."""

import logging

import pytest
from airflow.sdk.exceptions import AirflowFailException

from csperf.errors import CsperfError
from csperf.orchestration.common import LogProgress, refusals_are_final
from csperf.orchestration.steps import verdict


def test_a_refusal_ends_a_task_for_good_and_other_errors_are_tried_again() -> None:
    @refusals_are_final
    def task(error: Exception | None) -> str:
        if error:
            raise error
        return "done"

    assert task(None) == "done"
    with pytest.raises(AirflowFailException, match=r"July is not over\."):
        task(CsperfError("July is not over."))
    with pytest.raises(ConnectionError):
        task(ConnectionError())


def test_a_run_fails_at_its_end_with_a_sentence_for_each_refused_delivery() -> None:
    verdict({"refusals": []})
    with pytest.raises(AirflowFailException, match="calls of 2026-09-01 refused\ntickets of 2026-09-02 refused"):
        verdict({"refusals": ["calls of 2026-09-01 refused", "tickets of 2026-09-02 refused"]})


def test_progress_logs_each_tenth_of_a_step_once(caplog: pytest.LogCaptureFixture) -> None:
    progress = LogProgress()
    with caplog.at_level(logging.INFO):
        progress("landing", 0, 0)
        for done in range(1001):
            progress("building", done, 1000)
    lines = [record.getMessage() for record in caplog.records if record.name == "csperf.orchestration.common"]
    assert lines == ["landing", *(f"building: {done} of 1000" for done in range(0, 1001, 100))]
