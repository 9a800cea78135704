"""What people are told: events, and their texts in Chinese and English.

A notice is made of names, dates and counts. Nothing that could hold pay has a place in it: no message of a check, no
reason of a refusal, no text of an error; each text says where those can be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, get_args

Event = Literal["failure", "blocked", "quarantine", "overdue", "ready", "stopped", "refused"]
EVENTS: tuple[Event, ...] = get_args(Event)
# Who hears what, by one word.
GROUPS: Mapping[str, tuple[Event, ...]] = {
    "all": EVENTS,
    "data": ("failure", "blocked", "quarantine", "overdue"),
    "payroll": ("ready", "stopped", "refused"),
}
Language = Literal["en", "zh"]

_TITLES: Mapping[Event, Mapping[Language, str]] = {
    "failure": {"en": "run failed", "zh": "运行失败"},
    "blocked": {"en": "delivery refused", "zh": "交付被拒收"},
    "quarantine": {"en": "rows in quarantine", "zh": "数据被隔离"},
    "overdue": {"en": "delivery overdue", "zh": "交付逾期"},
    "ready": {"en": "ready for approval", "zh": "待审批"},
    "stopped": {"en": "draft stopped by the release gate", "zh": "草稿被发布检查拦下"},
    "refused": {"en": "draft refused", "zh": "草稿被驳回"},
}
# By the kind of notice: a few kinds are told under one event.
_TEXTS: Mapping[str, Mapping[Language, str]] = {
    "failure": {
        "en": "{what} for {dates} failed in step {step}; look at its log, mend the cause and run it again.",
        "zh": "{what}({dates})在步骤 {step} 失败;请查看日志,排除原因后重新运行。",
    },
    "command": {
        "en": "{what} for {dates} failed; look at what it printed, mend the cause and run it again.",
        "zh": "{what}({dates})失败;请查看其输出,排除原因后重新运行。",
    },
    "blocked": {
        "en": "{what} of {dates} was refused and what was accepted before stays in force; csperf status says why: have "
        "it delivered again and run the date.",
        "zh": "{what} {dates} 的交付被拒收,先前已接受的数据继续有效;csperf status 说明原因:请重新交付并重跑该日期。",
    },
    "quarantine": {
        "en": "{what} of {dates}: {quarantined} of {delivered} rows wait in quarantine; look at quality.quarantine, "
        "mend the source and have it delivered again.",
        "zh": "{what} {dates}:{delivered} 行中有 {quarantined} 行被隔离;请查看 quality.quarantine,修正来源后重新交付。",
    },
    "overdue": {
        "en": "{what} of {dates} is overdue; have it delivered and run the date.",
        "zh": "{what} {dates} 的交付逾期;请催交并重跑该日期。",
    },
    "night": {
        "en": "{what} for {dates} is not done by its deadline; look in Airflow at the step that it is in.",
        "zh": "{what}({dates})未在期限前完成;请在 Airflow 中查看当前步骤。",
    },
    "ready": {
        "en": "The draft of {what} (revision {revision}) waits for approval; look at it and answer in Airflow's "
        "required actions or by csperf close-{kind} {what} --approved-by NAME.",
        "zh": "{what} 的草稿(第 {revision} 版)待审批;请查看后在 Airflow 的待办中答复,"
        "或运行 csperf close-{kind} {what} --approved-by 姓名。",
    },
    "stopped": {
        "en": "The draft of {what} (revision {revision}) is stopped by the release gate; look at its approval.md on "
        "the server, mend the cause and draft it again.",
        "zh": "{what} 的草稿(第 {revision} 版)被发布检查拦下;请查看服务器上的 approval.md,排除原因后重新生成草稿。",
    },
    "refused": {
        "en": "The draft of {what} was refused by {by}; csperf status says why: mend it and draft it again.",
        "zh": "{what} 的草稿被 {by} 驳回;csperf status 说明原因:请修正后重新生成草稿。",
    },
    "test": {
        "en": "This is a test of csperf's notifications; there is nothing to do.",
        "zh": "这是 csperf 通知的测试消息,无需处理。",
    },
}


@dataclass(frozen=True)
class Notice:
    """One thing to tell. `key` is the same for the same thing, so that it is told once.

    `what` is a dataset, a period or a DAG; `dates` the business dates it is about; `facts` the rest that the text of
    its `kind` needs: names and counts.
    """

    event: Event
    key: str
    what: str
    dates: tuple[str, ...] = ()
    kind: str = ""
    facts: Mapping[str, str | int] = field(default_factory=dict)

    def as_record(self) -> dict[str, Any]:
        """The notice as JSON keeps it."""
        return {**self.__dict__, "dates": list(self.dates), "facts": dict(self.facts)}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Notice:
        """The notice that `as_record` gave."""
        return cls(**{**record, "dates": tuple(record["dates"])})


@dataclass(frozen=True)
class Message:
    """What one target is sent: a title and a sentence a line, for the notices that it tells."""

    event: Event
    title: str
    body: str
    notices: tuple[Notice, ...]


def messages(notices: Iterable[Notice], language: Language) -> list[Message]:
    """The notices as messages, one an event; what differs in its dates alone is one sentence."""
    by_event: dict[Event, list[Notice]] = {}
    for notice in notices:
        by_event.setdefault(notice.event, []).append(notice)
    return [
        Message(event, _title(_TITLES[event], language), "\n".join(_sentences(found, language)), tuple(found))
        for event, found in by_event.items()
    ]


def test_message(language: Language) -> tuple[str, str]:
    """Title and body of the test."""
    return _title({"en": "test", "zh": "测试"}, language), _TEXTS["test"][language]


def _title(titles: Mapping[Language, str], language: Language) -> str:
    return f"csperf: {titles[language]}" if language == "en" else f"csperf:{titles[language]}"


def _sentences(notices: Sequence[Notice], language: Language) -> list[str]:
    alike: dict[tuple[Any, ...], list[Notice]] = {}
    for notice in notices:
        names = tuple(sorted((name, value) for name, value in notice.facts.items() if isinstance(value, str)))
        alike.setdefault((notice.kind, notice.what, names), []).append(notice)
    return [_sentence(found, language) for found in alike.values()]


def _sentence(notices: Sequence[Notice], language: Language) -> str:
    """One sentence for notices that differ in their dates and counts."""
    first = notices[0]
    facts = dict(first.facts)
    for name, value in first.facts.items():
        if isinstance(value, int) and name != "revision":
            facts[name] = sum(int(notice.facts[name]) for notice in notices)
    dates = _ranges([day for notice in notices for day in notice.dates])
    return _TEXTS[first.kind or first.event][language].format(what=first.what, dates=dates, **facts)


def _ranges(days: Sequence[str]) -> str:
    from csperf.status import ranges

    try:
        return ranges({date.fromisoformat(day) for day in days})
    except ValueError:  # a month, a quarter, a run's name
        return ", ".join(dict.fromkeys(days))
