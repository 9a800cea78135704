"""What `csperf status` tells: landed, missing, refused, built, closed."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from csperf import closing
from csperf.approval import refuse_draft
from csperf.errors import UsageError
from csperf.landing import Current, Refused, partition_dir, write_current
from csperf.periods import Month
from csperf.settings import Settings, load_settings
from csperf.status import look, ranges, render, sentences
from tests.conftest import Company
from tests.landing_files import employee, land, session
from tests.worked_warehouse import Worked


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def chats(settings: Settings, day: int, count: int = 2) -> None:
    rows = [session(f"S{day}-{n}", "E1", f"2026-07-{day:02d}T09:{n:02d}:00+08:00") for n in range(count)]
    land(settings, "chat_sessions", date(2026, 7, day), rows)


def test_an_empty_home_says_how_to_start(settings: Settings) -> None:
    assert render(look(settings)) == [
        f"Nothing is landed in {settings.home} yet; start with csperf demo or csperf run."
    ]


def test_gaps_are_dates_between_deliveries_and_up_to_the_last_of_any_dataset(settings: Settings) -> None:
    land(settings, "employees", date(2026, 6, 30), [employee("E1")])
    for day in (1, 2, 6):
        chats(settings, day)
    land(settings, "tickets", date(2026, 7, 5), [])
    status = look(settings)
    found = {entry.name: entry for entry in status.datasets}
    assert found["chat_sessions"].missing == (date(2026, 7, 3), date(2026, 7, 4), date(2026, 7, 5))
    assert found["tickets"].missing == (date(2026, 7, 6),)  # nothing was expected before its first delivery
    assert found["employees"].missing == ()  # a roster is delivered when it changes
    assert (found["chat_sessions"].deliveries, found["chat_sessions"].rows) == (3, 6)
    assert "chat_sessions: no delivery for 2026-07-03 … 2026-07-05." in sentences(status)


# 02:00 on 7 July in Shanghai, when the nightly run of the 6th begins.
NIGHT = datetime(2026, 7, 6, 18, 0, tzinfo=UTC)


def test_overdue_is_what_should_have_come_by_the_nightly_run(settings: Settings) -> None:
    land(settings, "employees", date(2026, 6, 30), [employee("E1")])
    for day in (1, 2, 4, 6):
        chats(settings, day)
    land(settings, "tickets", date(2026, 7, 5), [])
    before = {entry.name: entry.overdue for entry in look(settings, NIGHT - timedelta(seconds=1)).datasets}
    assert before == {"employees": (), "chat_sessions": (date(2026, 7, 3), date(2026, 7, 5)), "tickets": ()}
    status = look(settings, NIGHT)
    assert {entry.name: entry.overdue for entry in status.datasets}["tickets"] == (date(2026, 7, 6),)
    assert not [line for line in sentences(status) if line.startswith("Overdue")]  # told as gaps already
    later = sentences(look(settings, NIGHT + timedelta(days=2)))
    assert later[0] == (
        "Overdue for 2026-07-07 … 2026-07-08: chat_sessions, tickets; have it delivered and run csperf run "
        "--from 2026-07-07 --to 2026-07-08."
    )


def test_each_dataset_may_be_due_at_its_own_time_or_never(settings: Settings) -> None:
    for name in ("chat_sessions", "tickets", "points", "calls"):
        land(settings, name, date(2026, 7, 3), [])
    own = settings.model_copy(update={"due": "12:30, tickets=3d 02:00, points=never, calls=0d 23:00"})
    late = {entry.name: entry.overdue for entry in look(own, NIGHT).datasets}
    assert late == {
        "chat_sessions": (date(2026, 7, 4), date(2026, 7, 5)),  # the 6th's are due at 12:30 today
        "tickets": (date(2026, 7, 4),),  # at this very moment
        "points": (),
        "calls": (date(2026, 7, 4), date(2026, 7, 5), date(2026, 7, 6)),
    }


@pytest.mark.parametrize(
    ("due", "words"),
    [
        ("2 o'clock", "is not [DATASET=][3d ]HH:MM or DATASET=never"),
        ("25:00", "'25:00' is no time of day"),
        ("chats=02:00", "'chats' is no dataset that is delivered daily"),
        ("employees=02:00", "'employees' is no dataset that is delivered daily"),
    ],
)
def test_a_due_time_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch, due: str, words: str) -> None:
    monkeypatch.setenv("CSPERF_DUE", due)
    with pytest.raises(UsageError) as error:
        load_settings()
    assert words in str(error.value)


def test_a_refused_date_is_told_in_its_own_words_and_is_no_gap(settings: Settings) -> None:
    chats(settings, 1)
    refused = Refused("bad", "chat_sessions of 2026-07-02 is refused: the column csat is missing.", 0)
    folder = partition_dir(settings, "chat_sessions", date(2026, 7, 2))
    folder.mkdir(parents=True)
    write_current(folder, Current(None, refused))
    (entry,) = look(settings).datasets
    assert entry.refused == ((date(2026, 7, 2), refused.message),)
    assert entry.missing == ()
    assert refused.message in sentences(look(settings))


def test_without_a_warehouse_everything_is_still_to_be_built(settings: Settings) -> None:
    chats(settings, 1)
    chats(settings, 2)
    status = look(settings)
    assert (status.built_to, status.unbuilt) == (None, 2)
    assert "Nothing is built yet; run csperf build." in sentences(status)


def test_months_and_quarters_reach_from_the_first_to_the_last_landed_date(settings: Settings) -> None:
    land(settings, "chat_sessions", date(2026, 6, 30), [])
    land(settings, "chat_sessions", date(2026, 8, 1), [])
    status = look(settings)
    assert [(entry.period, entry.state, entry.revision) for entry in status.months] == [
        ("2026-06", "open", None),
        ("2026-07", "open", None),
        ("2026-08", "open", None),
    ]
    assert [entry.period for entry in status.quarters] == ["2026Q2", "2026Q3"]


def test_a_period_goes_from_open_over_draft_to_published_with_who_and_when(settings: Settings) -> None:
    Worked({"2026-07": {"E1": {"base_pay": "3000.00"}}}).write(settings)
    land(settings, "chat_sessions", date(2026, 7, 31), [])
    drafted = closing.draft_month(settings, Month(2026, 7), datetime(2026, 8, 21, 6, tzinfo=UTC))

    def shown() -> tuple[str, int | None, str | None, str | None]:
        (month,) = look(settings).months
        return month.state, month.revision, month.by, month.at

    assert shown() == ("draft", None, "csperf", "2026-08-21T06:00:00+00:00")
    assert "The draft of 2026-07 waits for approval." in sentences(look(settings))
    refused = datetime(2026, 8, 21, 9, tzinfo=UTC)
    refuse_draft(settings.payroll_dir, "2026-07", drafted.digest, "Demo Director", refused, "E1 was on leave")
    assert shown() == ("draft", None, "csperf", "2026-08-21T06:00:00+00:00")
    sentence = "2026-07: Demo Director refused it at 2026-08-21T09:00:00+00:00: E1 was on leave"
    assert sentence in sentences(look(settings))
    assert "The draft of 2026-07 was refused; mend what is wrong and close it again." in sentences(look(settings))
    assert "The draft of 2026-07 waits for approval." not in sentences(look(settings))
    answered, done = datetime(2026, 8, 22, 9, tzinfo=UTC), datetime(2026, 8, 22, 10, tzinfo=UTC)
    closing.publish_month(settings, Month(2026, 7), drafted.digest, "Demo Director", answered, done)
    assert shown() == ("published", 1, "Demo Director", "2026-08-22T10:00:00+00:00")


def test_a_built_company_shows_its_sample_and_what_is_missing(company: Company) -> None:
    status = look(company.settings)
    assert (status.built_to, status.unbuilt) == (company.last, 0)
    drawn = sum(sample.drawn for sample in company.run.samples)
    missing = sum(sample.missing for sample in company.run.samples)
    assert sum(month.drawn or 0 for month in status.months) == drawn > 0
    assert sum(month.missing_reviews or 0 for month in status.months) == missing
    calls = next(entry for entry in status.datasets if entry.name == "calls")
    assert calls.missing == (date(2026, 6, 30),)
    assert sum(entry.quarantined for entry in status.datasets) == sum(company.demo.dirty.values()) > 0


def test_ranges_of_dates_are_shortened() -> None:
    days = [date(2026, 7, n) for n in (9, 1, 2, 3)]
    assert ranges(days) == "2026-07-01 … 2026-07-03, 2026-07-09"
    assert ranges([]) == ""
