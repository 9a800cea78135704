"""Who is told of what, through real servers: each thing once, never pay, and no target stops a run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from csperf import notify
from csperf.closing import Draft
from csperf.errors import CsperfError, UsageError
from csperf.ingest import IngestReport
from csperf.landing import partitions
from csperf.notify import notices, occasions
from csperf.notify.targets import parse
from csperf.settings import Settings, load_settings
from csperf.versions import Outcome
from tests.landing_files import land
from tests.receivers import Hook, http_hook, smtp_server
from tests.shop import D1, D2, TICKETS, Deliveries, ticket
from tests.test_cli import csperf

AT = datetime(2026, 9, 2, 2, 5, tzinfo=UTC)
# Planted where pay could slip in; nobody may ever read it.
PAY = "98765.43"


@pytest.fixture
def hook() -> Iterator[Hook]:
    with http_hook() as opened:
        yield opened


@pytest.fixture
def settings(tmp_path: Path, hook: Hook) -> Settings:
    """The data team and payroll at their own addresses."""
    return Settings(home=tmp_path / "home", notify=f"data={hook.url('data')} payroll={hook.url('payroll')}")


def refused(day: date, message: str = "the column kind is missing") -> Outcome:
    return Outcome("tickets", day, "refused", message=message)


def draft(**given: object) -> Draft:
    facts = {"period": "2026-08", "revision": 2, "digest": "d1", "changed": True, "path": Path("x")}
    return Draft(**{**facts, "employees": 3, "rows": 9, "warnings": (f"E1 gets {PAY}",), **given})  # type: ignore[arg-type]


def test_what_a_real_night_refuses_is_told_to_the_data_team_once(tmp_path: Path, hook: Hook) -> None:
    shop = Deliveries(tmp_path)
    settings = shop.settings(notify=f"data={hook.url('data')} payroll={hook.url('payroll')}")
    shop.deliver("tickets", D1, TICKETS, *(ticket(number) for number in range(30)), f"x,E1,{PAY},{PAY},,", "y,E1,,,,")
    shop.deliver("tickets", D2, TICKETS.replace(",kind", ""), f"t1,E1,{PAY},,false")

    def night() -> None:
        notify.tell(settings, occasions.taken_in(settings, shop.take_in(D1, D2), [D1, D2], AT), AT)

    night()
    assert sorted(hook.texts("data")) == [
        "tickets of 2026-09-01: 2 of 32 rows wait in quarantine; look at quality.quarantine, mend the source and have "
        "it delivered again.",
        "tickets of 2026-09-02 was refused and what was accepted before stays in force; csperf status says why: have "
        "it delivered again and run the date.",
    ]
    assert hook.texts("payroll") == []
    shop.deliver("tickets", D2, TICKETS.replace(",is_error", ""), "t1,E1,,,")
    night()
    assert len(hook.got) == 3 and "2026-09-02 was refused" in hook.texts("data")[-1]
    kept = settings.notify_dir / "told.json"
    assert [path.stat().st_mode & 0o777 for path in (kept.parent, kept)] == [0o700, 0o600]
    assert PAY not in f"{hook.got}{kept.read_text()}"


def test_dates_of_a_dataset_are_one_sentence_and_a_source_that_is_away_names_each_dataset(
    settings: Settings, hook: Hook
) -> None:
    report = IngestReport([refused(D1), refused(D2)], failures={"calls": f"calls: no answer {PAY}", "orders": "away"})
    notify.tell(settings, occasions.taken_in(settings, report, [D1, D2], AT), AT)
    (text,) = hook.texts("data")
    assert [line.split(" was")[0] for line in text.splitlines()] == [
        "calls of 2026-09-01 … 2026-09-02",
        "orders of 2026-09-01 … 2026-09-02",
        "tickets of 2026-09-01 … 2026-09-02",
    ]
    assert PAY not in text


def test_few_bad_rows_are_not_told(settings: Settings) -> None:
    at_the_limit = Outcome("tickets", D1, "landed", rows=95, quarantined=5)
    above = Outcome("tickets", D1, "landed", rows=94, quarantined=6)
    assert occasions.taken_in(settings, IngestReport([at_the_limit]), [D1], AT) == []
    assert len(occasions.taken_in(settings, IngestReport([above]), [D1], AT)) == 1


def test_a_draft_and_its_refusal_are_told_to_payroll_without_amounts_and_reasons(
    settings: Settings, hook: Hook
) -> None:
    refusal = {"by": "Demo Director", "at": "2026-09-21T09:00:00+00:00", "reason": f"E1 should get {PAY}"}
    for _ in range(2):
        notify.tell(settings, [occasions.waiting(draft())], AT)
        notify.tell(settings, [occasions.draft_refused("2026-08", refusal)], AT)
    assert hook.texts("payroll") == [
        "The draft of 2026-08 (revision 2) waits for approval; look at it and answer in Airflow's required actions or "
        "by csperf close-month 2026-08 --approved-by NAME.",
        "The draft of 2026-08 was refused by Demo Director; csperf status says why: mend it and draft it again.",
    ]
    assert hook.texts("data") == [] and PAY not in str(hook.got)
    notify.tell(settings, [occasions.waiting(draft(digest="d2"))], AT)
    notify.tell(settings, [occasions.waiting(draft(digest="d2", stopped=(f"gross is {PAY}",)))], AT)
    assert [text.split("; ")[0] for text in hook.texts("payroll")[2:]] == [
        "The draft of 2026-08 (revision 2) waits for approval",
        "The draft of 2026-08 (revision 2) is stopped by the release gate",
    ]
    assert PAY not in str(hook.got)


def test_a_failure_is_told_each_time_and_raised_as_it_is(settings: Settings, hook: Hook) -> None:
    for hours in (0, 1):
        with (
            pytest.raises(CsperfError, match=PAY),
            notify.failures_told(settings, "csperf run", ["2026-09-01"], AT + timedelta(hours=hours)),
        ):
            raise CsperfError(f"{PAY} is no number")
    sentence = "csperf run for 2026-09-01 failed; look at what it printed, mend the cause and run it again."
    assert hook.texts("data") == [sentence, sentence]


def test_chinese(settings: Settings, hook: Hook) -> None:
    chinese = settings.model_copy(update={"notify_language": "zh"})
    notify.tell(chinese, [occasions.run_failed("csperf_daily", ["2026-09-01"], "build", "r1", AT)], AT)
    ((_, body),) = hook.got
    assert (body["title"], body["type"]) == ("csperf:运行失败", "failure")
    assert body["message"] == "csperf_daily(2026-09-01)在步骤 build 失败;请查看日志,排除原因后重新运行。"


def test_every_kind_has_a_text_in_both_languages_and_every_event_a_title() -> None:
    for texts in notices._TEXTS.values():
        assert set(texts) == {"en", "zh"}
    assert set(notices._TITLES) == set(notices.EVENTS)


def test_mail_arrives(settings: Settings) -> None:
    with smtp_server() as (mailbox, port):
        url = f"mailto://localhost:{port}?from=csperf@example.com&to=data@example.com"
        notify.tell(
            settings.model_copy(update={"notify": Settings(notify=f"overdue={url}").notify}),
            [occasions.night_late("csperf_daily", ["2026-09-01"], "r1")],
            AT,
        )
    (mail,) = mailbox.got
    assert (mail["To"], mail["Subject"]) == ("data@example.com", "csperf: delivery overdue")
    body = mail.get_body(("plain",))
    assert body is not None and "csperf_daily for 2026-09-01 is not done by its deadline" in body.get_content()


def test_a_target_that_is_away_stops_nothing_and_hears_it_later(
    tmp_path: Path, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    hook.status = 503
    text = f"failure={hook.url('token-4711')} {hook.url('other')}"
    settings = Settings(home=tmp_path, notify=text)
    hook.status = 503
    failed = occasions.run_failed("csperf_daily", ["2026-09-01"], "build", "r1", AT)
    with caplog.at_level(logging.DEBUG):
        assert [sent.ok for sent in notify.tell(settings, [failed], AT)] == [False, False]
    assert "JSON (target 1) could not be told of 1 things" in caplog.text
    (known,) = [line for line in notify.standing(settings) if line.startswith("JSON (target 1) could not")]
    assert "1 notices wait for it" in known
    hook.status = 200
    assert all(sent.ok for sent in notify.test(settings, AT))
    assert [len(hook.texts(path)) for path in ("token-4711", "other")] == [2, 2]
    assert "csperf_daily for 2026-09-01 failed in step build" in hook.texts("token-4711")[1]
    assert not [line for line in notify.standing(settings) if "could not" in line]
    told = (tmp_path / "notify" / "told.json").read_text()
    assert "token-4711" not in f"{caplog.text}{known}{told}{settings!r}"


def test_a_broken_record_and_a_wrong_connection_stop_nothing(settings: Settings, hook: Hook) -> None:
    settings.notify_dir.mkdir(parents=True)
    (settings.notify_dir / "told.json").write_text("{half")
    assert [sent.ok for sent in notify.tell(settings, [occasions.waiting(draft())], AT)] == [True]
    away = Settings(home=settings.home, notify="airflow:no_such_connection")
    assert notify.tell(away, [occasions.waiting(draft())], AT) == []
    (sentence,) = notify.standing(away)
    assert sentence.startswith("Airflow has no connection 'no_such_connection'")


def test_the_urls_can_lie_in_a_connection_of_airflow(
    tmp_path: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_CSPERF_NOTIFY", f'{{"conn_type": "generic", "password": "payroll={hook.url("from-airflow")}"}}'
    )
    notify.tell(Settings(home=tmp_path, notify="airflow:csperf_notify"), [occasions.waiting(draft())], AT)
    assert len(hook.texts("from-airflow")) == 1


def test_the_services_that_people_have_are_known() -> None:
    text = """
    data=dingtalk://SECRETSECRET@abcdefgh1234567890 blocked,overdue=wecombot://abcdefgh-1234-botkey
    payroll=feishu://abcdefgh12345 lark://abcdefgh12345 all=slack://TABC/BABC/xyz123456789012345678901
    mailtos://user:pass@example.com?to=a@example.com
    """
    found = parse(text)
    names = ["DingTalk", "WeCom Bot", "Feishu", "Lark (Feishu)", "Slack", "E-Mail"]
    assert [target.name for target in found] == [f"{name} (target {n})" for n, name in enumerate(names, 1)]
    assert found[1].events == {"blocked", "overdue"}
    assert found[2].events == {"ready", "stopped", "refused"}
    assert found[3].events == set(notices.EVENTS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("everyone=json://localhost/secret-4711", "'everyone' of word 1 is none of all, data, payroll, failure"),
        ("data=json://localhost/secret-4711 secret-4711", "word 2 is not [who=]URL"),
    ],
)
def test_a_wrong_setting_is_told_without_what_it_holds(monkeypatch: pytest.MonkeyPatch, text: str, words: str) -> None:
    monkeypatch.setenv("CSPERF_NOTIFY", text)
    with pytest.raises(UsageError) as error:
        load_settings()
    assert words in str(error.value) and "secret-4711" not in str(error.value)


def test_the_command_says_for_each_target_whether_it_went(tmp_path: Path, hook: Hook) -> None:
    text = f"{hook.url('data')} json://localhost:{hook.port}/ bogus://secret-4711"
    done = csperf("notify", "--test", home=tmp_path, CSPERF_NOTIFY=text)
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["JSON (target 1): sent.", "JSON (target 2): sent."]
    sentence = "unknown service (target 3) was not reached: apprise does not know this kind of URL or it is incomplete."
    assert done.stderr.strip() == sentence


def test_what_is_overdue_is_told_once_by_the_command(settings: Settings, hook: Hook) -> None:
    land(settings, "tickets", D1, [])
    now = datetime(2026, 9, 3, 18, 0, tzinfo=UTC)  # 02:00 on the 4th in Shanghai
    for _ in range(2):
        notify.tell(settings, occasions.overdue_now(settings, partitions(settings), now), now)
    assert hook.texts("data") == ["tickets of 2026-09-02 … 2026-09-03 is overdue; have it delivered and run the date."]
