"""The QA sample: the plan's number an agent and day, spread over day and channels, always the same."""

import csv
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import openpyxl
import pytest

from csperf.errors import CsperfError
from csperf.sample import draw, draw_days
from csperf.sampling import pick_sql
from csperf.settings import Settings
from tests.landing_files import employee, land, session

DAY = date(2026, 7, 6)
Interaction = tuple[str, str, str, datetime]  # agent, id, channel, came at


def picked(interactions: list[Interaction], size: int, day: date = DAY) -> list[tuple[str, str, str, datetime]]:
    with duckdb.connect() as con:
        con.execute(
            "create table given (agent_id varchar, interaction_id varchar, channel varchar, came_at timestamp, "
            "business_date date, sample_size bigint)"
        )
        con.executemany("insert into given values (?, ?, ?, ?, ?, ?)", [[*row, day, size] for row in interactions])
        columns = "agent_id, interaction_id, channel, came_at"
        return con.execute(f"select {columns} from ({pick_sql('given')}) order by came_at, interaction_id").fetchall()


def day_of(agent: str, count: int, channels: tuple[str, ...] = ("web",)) -> list[Interaction]:
    """An agent's interactions, six minutes apart, over the channels in turn."""
    start = datetime(2026, 7, 6, 9)
    return [
        (agent, f"{agent}-{n:03d}", channels[n % len(channels)], start + timedelta(minutes=6 * n)) for n in range(count)
    ]


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, 1), (4, 4), (5, 5), (6, 5), (83, 5)])
def test_an_agent_gets_the_plans_number_or_all_there_are(count: int, expected: int) -> None:
    assert len(picked(day_of("A", count) + day_of("B", 1), 5)) == expected + 1


@pytest.mark.parametrize("count", [5, 7, 23, 80])
def test_one_is_taken_from_each_fifth_of_the_day(count: int) -> None:
    places = [int(row[1][2:]) for row in picked(day_of("A", count), 5)]
    assert [place * 5 // count for place in places] == [0, 1, 2, 3, 4]


def test_every_channel_is_drawn_from_when_each_part_of_the_day_has_them() -> None:
    channels = Counter(row[2] for row in picked(day_of("A", 100, ("web", "wechat", "app")), 5))
    assert sorted(channels.values()) == [1, 2, 2]


def test_a_rare_channel_is_taken_when_its_turn_comes_and_never_keeps_the_number_down() -> None:
    rows = day_of("A", 60)
    rows[3] = ("A", "A-003", "email", rows[3][3])
    assert len(picked(rows, 5)) == 5


def test_the_sample_hangs_on_date_and_agent_not_on_the_order_of_rows() -> None:
    rows = day_of("A", 60, ("web", "app")) + day_of("B", 40)
    assert picked(rows, 5) == picked(rows[::-1], 5)
    assert picked(rows, 5) != picked(rows, 5, DAY + timedelta(days=1))
    ours = [row for row in picked(rows, 5) if row[0] == "A"]
    assert ours == picked([row for row in rows if row[0] == "A"], 5)


MINUTE = timedelta(minutes=1)
OPENED = datetime(2026, 7, 6, 1, tzinfo=UTC)  # nine in the morning in Shanghai


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Two chat agents with 12 and 3 sessions, one on the telephone with 8 calls of which 2 were not answered."""
    settings = Settings(home=tmp_path / "home")
    people = [("E1", "=Demo Ann", "blue"), ("E2", "Demo Bo", "red"), ("E3", "Demo Cy", "blue")]
    land(settings, "employees", date(2026, 7, 1), [employee(id_, name=name, team=team) for id_, name, team in people])
    chats = [("E1" if n < 12 else "E2", f"S{n:02d}", OPENED + n * 10 * MINUTE) for n in range(15)]
    land(settings, "chat_sessions", DAY, [session(id_, agent, at.isoformat()) for agent, id_, at in chats])
    calls = [{"call_id": f"C{n}", "agent_id": "E3", "queued_at": OPENED + n * 10 * MINUTE} for n in range(8)]
    calls[2:] = [{**call, "answered_at": call["queued_at"] + MINUTE} for call in calls[2:]]  # type: ignore[operator]
    land(settings, "calls", DAY, calls)
    reviews = [{"review_id": f"Q{n}", "agent_id": "E1" if n < 7 else "E2"} for n in range(9)]
    land(settings, "qa_reviews", DAY, [{**review, "item_no": item} for review in reviews for item in (0, 1)])
    return settings


def worklist(settings: Settings) -> list[dict[str, str]]:
    with (settings.samples_dir / DAY.isoformat() / "worklist.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_the_worklist_names_whom_and_what_to_review(settings: Settings) -> None:
    report = draw(settings, DAY)
    rows = worklist(settings)
    assert Counter(row["agent_id"] for row in rows) == {"E1": 5, "E2": 3, "E3": 5}
    assert [row["team"] for row in rows] == ["blue"] * 10 + ["red"] * 3
    assert not {"C0", "C1"} & {row["interaction_id"] for row in rows}  # nobody answered them
    first = rows[0]
    assert (first["business_date"], first["agent_name"], first["points"]) == ("2026-07-06", "=Demo Ann", "")
    assert first["started_at"].startswith("2026-07-06 09:")  # local business time
    assert (report.agents, report.drawn) == (3, 13)


def test_more_reviews_than_drawn_do_not_make_up_for_missing_ones_of_others(settings: Settings) -> None:
    report = draw(settings, DAY)  # E1: 7 reviews of 5 drawn, E2: 2 of 3, E3: none of 5
    assert (report.reviewed, report.missing) == (7, 6)


def test_the_xlsx_says_the_same_and_no_name_becomes_a_formula(settings: Settings) -> None:
    draw(settings, DAY)
    book = openpyxl.load_workbook(settings.samples_dir / DAY.isoformat() / "worklist.xlsx")
    sheet = [["" if value is None else str(value) for value in row] for row in book.active.values]  # type: ignore[union-attr]
    assert sheet[1:] == [list(row.values()) for row in worklist(settings)]
    assert book.active["D2"].data_type == "s"  # type: ignore[index]


def test_drawing_again_changes_no_file(settings: Settings) -> None:
    draw(settings, DAY)
    files = sorted((settings.samples_dir / DAY.isoformat()).iterdir())
    before = [(file.name, file.read_bytes(), file.stat().st_mtime_ns) for file in files]
    draw(settings, DAY)
    assert [(file.name, file.read_bytes(), file.stat().st_mtime_ns) for file in files] == before
    for file in files:
        file.unlink()
    draw(settings, DAY)
    assert [(file.name, file.read_bytes()) for file in files] == [(name, content) for name, content, _ in before]


def test_the_plans_number_can_be_given(settings: Settings) -> None:
    assert draw(settings, DAY, {"cs_2017": 2}).drawn == 6
    assert draw(settings, DAY, {"another": 2}).drawn == 0


def test_agents_unknown_to_the_roster_are_drawn_by_the_default_plan(settings: Settings) -> None:
    land(settings, "employees", date(2026, 7, 2), [employee("E1", name="Demo Ann")])
    assert draw(settings, DAY).drawn == 13
    assert Counter(row["agent_name"] for row in worklist(settings)) == {"Demo Ann": 5, "": 8}


def test_dates_without_interactions_are_left_out_of_a_range_and_refused_alone(settings: Settings) -> None:
    reports = draw_days(settings, DAY - timedelta(days=3), DAY + timedelta(days=3))
    assert [report.business_date for report in reports] == [DAY]
    with pytest.raises(CsperfError, match="No chat_sessions or calls of 2026-07-07 are landed"):
        draw(settings, date(2026, 7, 7))
