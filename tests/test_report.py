"""The daily report page: right figures, every gap named, nothing loaded from elsewhere."""

import re
from datetime import date, timedelta
from html.parser import HTMLParser

import pytest

from csperf.report import write_days
from csperf.warehouse import connect
from tests.conftest import Company


class Page(HTMLParser):
    """What a reader sees: the texts, the cells of each table, and whatever the page would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.rows: list[list[str]] = []
        self.links: list[str] = []
        self._cell = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attributes if name in ("src", "href")]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self._cell = tag in ("td", "th") or (self._cell and tag == "span")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, text: str) -> None:
        if self._cell and self.rows and self.rows[-1]:
            self.rows[-1][-1] += text
        self.texts.append(text.strip())


def page(company: Company, day: date) -> Page:
    return Page((company.settings.reports_dir / f"{day}.html").read_text(encoding="utf-8"))


def test_a_run_writes_a_page_for_each_of_its_dates(company: Company) -> None:
    dates = [company.first + timedelta(days=n) for n in range(5)]
    assert [entry.business_date for entry in company.run.pages] == dates
    assert sorted(path.name for path in company.settings.reports_dir.iterdir()) == [f"{day}.html" for day in dates]


def test_team_figures_are_those_of_the_scorecard_of_the_day(company: Company) -> None:
    day = date(2026, 7, 1)
    with connect(company.settings, read_only=True) as con:
        rows = con.execute(
            """select team, count(*), sum(sessions + calls_answered), sum(first_response_seconds_sum),
                sum(first_responses), sum(satisfied), sum(rated), sum(qa_deduction)
            from scorecards.agent_daily
            join measures.roster_monthly on agent_id = employee_id and month_start = date '2026-07-01'
            where business_date = ? group by team order by team""",
            [day],
        ).fetchall()
    shown = [row for row in page(company, day).rows if row and row[0].endswith("组")]
    assert len(shown) == len(rows) > 1
    for row, (team, agents, volume, waited, waits, satisfied, rated, deducted) in zip(shown, rows, strict=True):
        assert row[:3] == [team, str(agents), str(volume)]
        assert float(row[3]) == pytest.approx(float(waited / waits), abs=0.051)
        assert float(row[4].rstrip("%")) == pytest.approx(100 * satisfied / rated, abs=0.051)
        assert float(row[8]) == float(deducted)


def test_drawn_is_reviewed_and_missing_and_agrees_with_the_sample(company: Company) -> None:
    for sample in company.run.samples:
        teams = [row for row in page(company, sample.business_date).rows if row and row[0].endswith("组")]
        assert sum(int(row[5]) for row in teams) == sample.drawn
        assert sum(int(row[6]) for row in teams) == sample.reviewed
        assert sum(int(row[7]) for row in teams) == sample.missing


def test_a_missing_delivery_and_quarantined_rows_are_named(company: Company) -> None:
    gap = page(company, date(2026, 6, 30))
    assert "calls: no delivery for 2026-06-30." in gap.texts
    quarantined = 0
    for day in (company.first + timedelta(days=n) for n in range(5)):
        lines = {row[0]: row for row in page(company, day).rows if len(row) == 4}
        quarantined += sum(int(row[2]) for name, row in lines.items() if name != "dataset" and row[2])
    dirty = sum(count for (name, _), count in company.demo.dirty.items() if name != "employees")
    assert quarantined == dirty > 0


def test_a_page_opens_without_a_network_and_runs_no_script(company: Company) -> None:
    text = (company.settings.reports_dir / f"{company.last}.html").read_text(encoding="utf-8")
    assert page(company, company.last).links == []
    assert not re.search(r"https?://|<script|@import|url\(", text)
    assert text.count("<svg") == 2


def test_writing_pages_again_touches_none(company: Company) -> None:
    before = {path: path.stat().st_mtime_ns for path in company.settings.reports_dir.iterdir()}
    write_days(company.settings, company.first, company.last)
    assert {path: path.stat().st_mtime_ns for path in company.settings.reports_dir.iterdir()} == before


def test_dates_of_which_nothing_is_known_get_no_page(company: Company) -> None:
    assert write_days(company.settings, date(2027, 1, 1), date(2027, 1, 3)) == []
