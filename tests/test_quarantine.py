"""Rows in quarantine: listed, shown, taken in by a replay, discarded; nothing leaves without a trace."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from csperf.cli import app
from csperf.errors import CsperfError, UsageError
from csperf.ingest import ingest
from csperf.journal import JOURNAL, Entry, append, discards, read_journal
from csperf.landing import partition, read_manifest
from csperf.quarantine import Choice, discard, groups, replay, rows
from csperf.sources import open_source
from tests.shop import AT, D1, D2, D4, ROSTER, TICKETS, Deliveries, person, states, ticket

NOW = datetime(2026, 9, 8, 9, tzinfo=UTC)
BAD = "t9,E1,soon,,refund,false"


@pytest.fixture
def shop(tmp_path: Path) -> Deliveries:
    return Deliveries(tmp_path)


def counted(shop: Deliveries, dataset: str = "tickets", day: date = D1) -> tuple[int, int, int]:
    """Accepted, quarantined and discarded rows of a date; they are all that was delivered, in manifest and pointer."""
    part = shop.part(dataset, day)
    told = read_manifest(part.manifest_path)["rows"]
    found = (told["accepted"], told["quarantined"], told["discarded"])
    assert sum(found) == told["delivered"]
    assert found == (part.rows, part.quarantined, part.discarded)
    return found


def ids(shop: Deliveries, choice: Choice | None = None) -> dict[str, str]:
    """The checks of the waiting rows by their id."""
    return {row.id: row.reasons[0][0] for row in rows(shop.settings(), choice or Choice())}


def history(shop: Deliveries, day: date = D1) -> list[tuple[str, str, int]]:
    return [
        (entry.action, entry.by, sum(entry.rows.values())) for entry in read_journal(shop.part("tickets", day).folder)
    ]


# ---- list and show ------------------------------------------------------------------------------------------------


def test_rows_are_listed_by_reason_and_shown_with_what_to_do(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS, ticket(1), ticket(2, agent="NO"), ticket(3, agent="NO"), BAD, "short,row")
    shop.deliver("tickets", D2, TICKETS, ticket(1, D2), ticket(1, D2))
    shop.take_in(D1, D2)
    found = [(g.business_date, g.check, g.rows, g.since, g.refused) for g in groups(shop.settings(), Choice())]
    taken = date(2026, 9, 5)
    assert found == [
        (D1, "agent_id_not_in_roster", 2, taken, False),
        (D1, "readable", 1, taken, False),
        (D1, "unparsed", 1, taken, False),
        (D2, "key_repeated", 1, taken, False),
    ]
    told = list(rows(shop.settings(), Choice(first=D1, last=D1)))
    assert [(row.row, row.line, row.reasons[0][0]) for row in told] == [
        (2, None, "agent_id_not_in_roster"),
        (3, None, "agent_id_not_in_roster"),
        (4, None, "readable"),
        (None, 6, "unparsed"),
    ]
    assert json.loads(told[2].content)["created_at"] == "soon"
    assert told[0].remedies[0].startswith("Deliver the employees that name it")
    assert told[3].remedies[0].startswith("Have the line mended")
    only = Choice(dataset="tickets", check="readable")
    assert list(ids(shop, only).values()) == ["readable"]
    assert [row.id for row in rows(shop.settings(), Choice(ids=(told[2].id,)))] == [told[2].id]
    with pytest.raises(UsageError, match="no dataset 'nothing'"):
        Choice(dataset="nothing")


def test_an_id_stays_whatever_the_order_and_differs_by_date(shop: Deliveries) -> None:
    for day in (D1, D2):
        shop.deliver("tickets", day, TICKETS, ticket(1, day), BAD, "short,row")
    shop.take_in(D1, D2)
    first = {(row.business_date, row.reasons[0][0]): row.id for row in rows(shop.settings(), Choice())}
    shop.deliver("tickets", D1, TICKETS, "short,row", ticket(3), BAD, ticket(1))
    shop.take_in(D1)
    assert {(row.business_date, row.reasons[0][0]): row.id for row in rows(shop.settings(), Choice())} == first
    assert len(set(first.values())) == 4


def test_no_salary_is_shown(shop: Deliveries) -> None:
    paid = person("E3").replace("cs_2017,,", "cs_2017,54321,").replace("basic", "night")
    shop.deliver("employees", D1, ROSTER, person("E1"), person("E2"), paid, "E4,54321")
    shop.take_in()
    told = list(rows(shop.settings(), Choice()))
    assert [row.reasons[0][0] for row in told] == ["post_unknown", "unparsed"]
    assert "54321" not in str(told) and json.loads(told[0].content)["post"] == "night"


# ---- what leaves by itself ----------------------------------------------------------------------------------------


def test_whatever_leaves_by_itself_is_in_the_journal(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS, ticket(1), ticket(2, agent="E7"), BAD)
    shop.take_in()
    assert not (shop.part("tickets").folder / JOURNAL).exists()
    (bad,) = (key for key, check in ids(shop).items() if check == "readable")
    shop.deliver("employees", D2, ROSTER, person("E1"), person("E7"))
    shop.take_in(D2, lookback_days=0)
    shop.deliver("tickets", D1, TICKETS, ticket(1), ticket(2, agent="E7"), ticket(9))
    shop.take_in(D1)
    assert history(shop) == [("came back", "csperf", 1), ("delivered again", "csperf", 1)]
    last = read_journal(shop.part("tickets").folder)[-1]
    assert last.rows == {bad: 1} and last.after == shop.part("tickets").version
    assert last.at == AT.isoformat() and last.before != last.after
    assert counted(shop) == (3, 0, 0)


def test_rows_of_a_refused_attempt_leave_with_a_trace_too(shop: Deliveries) -> None:
    wrong = [ticket(number, agent="NO") for number in range(120)]
    shop.deliver("tickets", D1, TICKETS, *wrong)
    shop.take_in()
    assert [(g.rows, g.refused) for g in groups(shop.settings(), Choice())] == [(120, True)]
    shop.deliver("tickets", D1, TICKETS, ticket(1))
    shop.take_in()
    assert history(shop) == [("delivered again", "csperf", 120)]
    assert groups(shop.settings(), Choice()) == []


@pytest.mark.parametrize("spoil", ["change", "remove"])
def test_a_journal_that_was_changed_is_noticed(tmp_path: Path, spoil: str) -> None:
    for number, why in enumerate(["not ours", "a drill"]):
        append(tmp_path, Entry(NOW.isoformat(), "M. Demo", "discarded", why, {"a": 1}, f"v{number}"))
        append(tmp_path, Entry("later", "M. Demo", "discarded", why, {"a": 1}, f"v{number}"))  # a killed run, again
    assert [entry.why for entry in read_journal(tmp_path)] == ["not ours", "a drill"]
    assert discards(tmp_path) == {"a": 2}
    path = tmp_path / JOURNAL
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[1] if spoil == "remove" else lines[0].replace(b"not ours", b"was mine") + lines[1])
    with pytest.raises(CsperfError, match=r"journal\.jsonl was changed before line"):
        read_journal(tmp_path)


# ---- discard ------------------------------------------------------------------------------------------------------


def test_a_discarded_row_does_not_come_back_and_stays_readable(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS, ticket(1), ticket(2, agent="NO"), BAD, "short,row")
    shop.take_in()
    settings, digest = shop.settings(), shop.part("tickets").digest
    gone = tuple(key for key, check in ids(shop).items() if check != "readable")
    done = discard(settings, Choice(ids=gone), "M. Demo", "test data of the vendor", NOW)
    assert (done.discarded, done.left) == (2, 1)
    assert counted(shop) == (1, 1, 2) and shop.part("tickets").digest == digest
    assert set(ids(shop).values()) == {"readable"}
    assert set(ids(shop, Choice(discarded=True))) == set(gone)
    assert history(shop) == [("discarded", "M. Demo", 2)]
    assert read_journal(shop.part("tickets").folder)[0].why == "test data of the vendor"
    version = shop.part("tickets").version
    shop.deliver("tickets", D1, TICKETS, "short,row", ticket(2, agent="NO"), BAD, ticket(1))
    assert states(shop.take_in())["tickets", 1] == "unchanged"
    assert shop.part("tickets").version == version and counted(shop) == (1, 1, 2)
    with pytest.raises(CsperfError, match=f"No row {gone[0]}"):
        discard(settings, Choice(ids=gone[:1]), "M. Demo", "again", NOW)


def test_a_discarded_row_stays_out_when_it_has_become_good(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS, ticket(1), ticket(2, agent="E7"), ticket(3, agent="E7"))
    shop.take_in()
    (row,) = (row.id for row in rows(shop.settings(), Choice()) if '"t2"' in row.content)
    discard(shop.settings(), Choice(ids=(row,)), "M. Demo", "was a drill", NOW)
    shop.deliver("employees", D2, ROSTER, person("E1"), person("E7"))
    shop.take_in(D2, lookback_days=0)
    assert shop.accepted("tickets") == ["t1", "t3"] and counted(shop) == (2, 0, 1)
    assert ids(shop, Choice(discarded=True)) == {row: "discarded"}
    # Mended at its source it is another row.
    shop.deliver("tickets", D1, TICKETS, ticket(1), ticket(2, agent="E1"), ticket(3, agent="E7"))
    shop.take_in()
    assert shop.accepted("tickets") == ["t1", "t2", "t3"] and counted(shop) == (3, 0, 0)


def test_discarding_the_copy_of_a_row_keeps_the_row(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS, ticket(1), ticket(1), ticket(1))
    shop.take_in()
    (row,) = rows(shop.settings(), Choice())
    assert (row.copies, row.reasons[0][0]) == (2, "key_repeated")
    discard(shop.settings(), Choice(dataset="tickets", check="key_repeated"), "M. Demo", "sent thrice", NOW)
    assert shop.accepted("tickets") == ["t1"] and counted(shop) == (1, 0, 2)
    shop.deliver("tickets", D1, TICKETS, ticket(2), ticket(1), ticket(1), ticket(1))
    shop.take_in()
    assert shop.accepted("tickets") == ["t2", "t1"] and counted(shop) == (2, 0, 2)


def test_a_discarded_row_takes_no_other_rows_key(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS, ticket(1, agent="E7"), ticket(1, agent="E1"))
    shop.take_in()
    discard(shop.settings(), Choice(dataset="tickets"), "M. Demo", "credited to the wrong person", NOW)
    shop.deliver("employees", D2, ROSTER, person("E1"), person("E7"))
    shop.take_in(D2, lookback_days=0)
    assert shop.accepted("tickets", column="agent_id") == ["E1"] and counted(shop) == (1, 0, 1)


def test_what_is_discarded_does_not_count_towards_the_limit(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS, *(ticket(n, agent="NO" if n < 80 else "E1") for n in range(120)))
    assert states(shop.take_in())["tickets", 1] == "refused"
    again = replay(shop.settings(), Choice(), "M. Demo", NOW)
    assert again.notes == ["tickets of 2026-09-01 was refused whole; run the date again."]
    done = discard(shop.settings(), Choice(dataset="tickets", first=D1, last=D1), "M. Demo", "a load test", NOW)
    assert done.notes == ["tickets of 2026-09-01 was refused whole; run it again, without these rows it may pass."]
    assert states(shop.take_in())["tickets", 1] == "landed"
    assert counted(shop) == (40, 0, 80)


def test_a_discard_wants_a_reason_and_rows(shop: Deliveries) -> None:
    for choice, why, words in [
        (Choice(dataset="tickets"), " ", "needs its reason"),
        (Choice(), "x", "Say which rows"),
    ]:
        with pytest.raises(UsageError, match=words):
            discard(shop.settings(), choice, "M. Demo", why, NOW)
    with pytest.raises(CsperfError, match="No row waits in quarantine that fits"):
        discard(shop.settings(), Choice(dataset="tickets"), "M. Demo", "x", NOW)


# ---- replay -------------------------------------------------------------------------------------------------------

MAPPING = """
name: desk
title: Demo desk
datasets:
  employees: {beside: agents.csv, as_of: 2026-09-01}
  tickets:
    files: "tickets-{date}.csv"
    RULES
    select: |
      select id as ticket_id, agent as agent_id, "at" as created_at, null as closed_at, TOPIC as kind,
          ERROR as is_error, _source
      from source
"""


class Desk:
    """A mapping that is mended later, and its files, which are gone by then."""

    def __init__(self, shop: Deliveries, root: Path) -> None:
        self.shop, self.root = shop, root
        (root / "agents.csv").write_text(f"{ROSTER}\n{person('E1')}\n")
        lines = ["id,agent,at,topic,error"]
        lines += [f"t{n},E1,2026-09-01T09:00:00+08:00,{topic},{error}" for n, (topic, error) in enumerate(
            [("refund", "J"), ("refund", "N"), ("", "N"), ("TEST", "N"), ("other", "N")])]  # fmt: skip
        self.file = root / "tickets-2026-09-01.csv"
        self.file.write_text("\n".join(lines) + "\n")

    def write(self, rules: str = "skip: []", topic: str = "topic", error: str = "error") -> Path:
        text = MAPPING.replace("RULES", rules).replace("TOPIC", topic).replace("ERROR", error)
        path = self.root / "desk.yaml"
        path.write_text(text)
        return path

    def take_in(self, mapping: Path) -> None:
        settings = self.shop.settings()
        report = ingest(settings, open_source(settings, str(mapping), self.root), [D1], AT)
        assert report.messages == []


@pytest.fixture
def desk(shop: Deliveries, tmp_path: Path) -> Desk:
    (tmp_path / "desk").mkdir()
    return Desk(shop, tmp_path / "desk")


def test_a_mended_mapping_takes_the_rows_in_without_the_source(desk: Desk) -> None:
    shop, settings = desk.shop, desk.shop.settings()
    desk.take_in(desk.write("quarantine: [{reason: other topics, where: topic = 'other'}]"))
    assert counted(shop) == (0, 5, 0)  # J and N are neither true nor false, and one has no topic
    before = {row.id for row in rows(settings, Choice())}
    assert all("_line" in row.content for row in rows(settings, Choice()))
    desk.file.unlink()
    mended = desk.write("skip: [{reason: a test, where: topic = 'TEST'}]", "topic", "error = 'J'")
    done = replay(settings, Choice(), "M. Demo", NOW, str(mended))
    assert (done.taken_in, done.left, done.notes) == (3, 1, [])
    assert shop.accepted("tickets") == ["t0", "t1", "t4"]
    assert shop.accepted("tickets", column="is_error") == [True, False, False]
    assert counted(shop) == (3, 1, 0)
    assert read_manifest(shop.part("tickets").manifest_path)["rows"]["skipped"] == {"a test": 1}
    assert history(shop) == [("replayed", "M. Demo", 4)]
    assert set(ids(shop)) < before and list(ids(shop).values()) == ["kind_missing"]
    again = replay(settings, Choice(), "M. Demo", NOW, str(mended))
    assert again.taken_in == 0 and [outcome.state for outcome in again.outcomes] == ["unchanged"]


def test_a_replay_gives_what_the_delivery_would_give_now(desk: Desk, tmp_path: Path) -> None:
    other = Deliveries(tmp_path / "other")
    desk.take_in(desk.write())
    mended = desk.write("skip: [{reason: a test, where: topic = 'TEST'}]", "topic", "error = 'J'")
    replay(desk.shop.settings(), Choice(), "M. Demo", NOW, str(mended))
    settings = other.settings()
    ingest(settings, open_source(settings, str(mended), desk.root), [D1], AT)
    one, two = desk.shop.part("tickets"), partition(settings, "tickets", D1)
    assert two is not None and (one.digest, one.version) == (two.digest, two.version)


def test_what_cannot_be_read_anew_is_told_and_stays(desk: Desk) -> None:
    desk.take_in(desk.write())
    settings = desk.shop.settings()
    path = desk.write()
    for spoil, words in [
        (", _source", "its select does not give _source any more"),
        ("agent as", "the mapping desk cannot be applied to its rows: .*agent_id"),
        (None, "its rows came by the mapping desk; name that mapping with --source"),
    ]:
        desk.write().write_text(path.read_text().replace(spoil or "nothing of it", ""))
        done = replay(settings, Choice(), "M. Demo", NOW, str(path) if spoil else None)
        assert (done.taken_in, done.left, len(done.notes)) == (0, 5, 1)
        assert re.search(words, done.notes[0]), done.notes
    assert counted(desk.shop) == (0, 5, 0)


def test_rows_of_a_mapping_without_source_keep_their_reason(desk: Desk) -> None:
    mapping = desk.write("quarantine: [{reason: other topics, where: topic = 'other'}]", "topic", "error = 'J'")
    mapping.write_text(mapping.read_text().replace(", _source", ""))
    desk.take_in(mapping)
    assert counted(desk.shop) == (3, 2, 0)
    done = replay(desk.shop.settings(), Choice(), "M. Demo", NOW, str(desk.write(error="error = 'J'")))
    assert done.left == 2 and "does not give _source, so its rows are not kept as they came" in done.notes[0]


def test_a_replay_of_files_goes_by_todays_rules(shop: Deliveries, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.deliver("tickets", D1, TICKETS, ticket(1), "t2,E1,2026-09-01 9:30,,refund,false", BAD)
    shop.take_in()
    assert counted(shop) == (1, 2, 0)
    from csperf.sources import convert

    monkeypatch.setitem(convert._PATTERNS, "timestamp", r"\d{4}-\d\d-\d\d[ T]\d?\d:\d\d.*")
    done = replay(shop.settings(), Choice(dataset="tickets"), "M. Demo", NOW)
    assert (done.taken_in, done.left) == (1, 1)
    assert shop.accepted("tickets") == ["t1", "t2"] and counted(shop) == (2, 1, 0)
    assert shop.reasons("tickets")[0][0] == 3  # the row that waits has kept its number


def test_a_replay_is_of_whole_dates(shop: Deliveries) -> None:
    with pytest.raises(UsageError, match="checks whole dates"):
        replay(shop.settings(), Choice(check="readable"), "M. Demo", NOW)


# ---- the commands -------------------------------------------------------------------------------------------------


def test_the_commands(shop: Deliveries, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.deliver("tickets", D1, TICKETS, ticket(1), ticket(2, agent="E7"), BAD)
    shop.deliver("tickets", D4, TICKETS, ticket(1, D4), "short,row")
    shop.take_in(D1, D4)
    monkeypatch.setenv("CSPERF_HOME", str(shop.home))

    def run(*words: str) -> str:
        result = CliRunner().invoke(app, ["quarantine", *words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    listed = run("list")
    assert "agent_id_not_in_roster" in listed and "3 rows on 2 dates" in listed
    assert "1 row on 1 date" in run("list", "--date", "2026-09-04")
    shown = run("show", "--check", "readable")
    assert "row 3" in shown and "created_at: 'soon' is not a time" in shown and "→ Mend it" in shown
    assert "… and more" in run("show", "--limit", "1")
    assert "1 row discarded." in run("discard", shown.split()[0], "--why", "a typing test", "--by", "M. Demo")
    assert "1 row on 1 date" in run("list", "--discarded")
    assert "0 rows taken in, 2 still wait." in run("replay", "--from", "2026-09-01")
    assert run("show", "--dataset", "calls").strip() == "No such row is in quarantine."
