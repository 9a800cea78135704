"""The contacts of one day of the made-up company: chats with every message in them, and calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from csperf.demo.chance import Flags, Floats, Ints, day_generator, normal, pick, uniform
from csperf.demo.columns import HOUR, midnight, people_ids, row_ids, times
from csperf.demo.people import People
from csperf.demo.profile import Profile, Trait
from csperf.demo.shifts import LATE, Shift

CUSTOMER, BOT, AGENT, SYSTEM = range(4)
SENDERS = ["customer", "bot", "agent", "system"]


@dataclass(frozen=True)
class Contacts:
    """One day's deliveries, with the person behind each session and call (same order as the rows)."""

    sessions: pa.Table
    messages: pa.Table
    calls: pa.Table
    session_people: Ints
    call_people: Ints


def contacts_of(people: People, today: Shift, yesterday: Shift) -> Contacts:
    """Everything that starts on `today.day`: the day's shifts, and the night shift that began the day before."""
    rng = day_generator(people.seed, "contacts", today.day)
    codes = list(people.profile.posts)
    person, start = _starts(people, today, yesterday, rng)
    voice = people.post(today.day)[person] == (codes.index("voice") if "voice" in codes else -1)
    chats = _chats(people, today.day, person[~voice], start[~voice], rng)
    calls = _calls(people, today.day, person[voice], start[voice], rng)
    return Contacts(*chats, calls, person[~voice], person[voice])


def day_factor(profile: Profile, seed: int, day: date) -> float:
    """How much more or less than usual comes in that day: the weekday, and now and then a busy or quiet day."""
    chance = float(uniform(seed, "busy", day.toordinal())[0])
    factor = profile.weekdays[day.weekday()] * float(0.97 + 0.06 * uniform(seed, "drift", day.toordinal())[0])
    if chance < profile.busy_days.share:
        return factor * profile.busy_days.factor
    if chance > 1 - profile.quiet_days.share:
        return factor * profile.quiet_days.factor
    return factor


def _starts(people: People, today: Shift, yesterday: Shift, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Who takes a contact and when it comes in, ordered by time."""
    begins = midnight(today.day)
    parts = []
    for shift, night, hours, share in (
        (today, False, 9, 1.0),
        (today, True, 6, 0.75),
        (yesterday, True, 2, 0.25),
    ):
        chosen = shift.working & (shift.night == night) & people.takes_contacts[shift.who]
        who = shift.who[chosen]
        load = _load(people, shift, who) * share * np.where(shift.status[chosen] == LATE, 0.95, 1.0)
        person = np.repeat(who, rng.poisson(load))
        opens = np.array([8, 9, 10, 13])[(uniform(people.seed, "opens", person) * 4).astype(np.int64)]
        opens = opens if not night else np.full(len(person), 18 if shift is today else 0)
        parts.append((person, begins + ((opens + rng.random(len(person)) * hours) * HOUR).astype(np.int64)))
    person = np.concatenate([part[0] for part in parts])
    start = np.concatenate([part[1] for part in parts])
    order = np.lexsort((person, start))
    return person[order], start[order]


def _load(people: People, shift: Shift, who: Ints) -> Floats:
    """Contacts to expect for each person in a whole shift."""
    profile = people.profile
    usual = np.array([post.contacts for post in profile.posts.values()])[people.post(shift.day)[who]]
    own = 1 + profile.volume_spread * normal(people.seed, "volume", who) + profile.volume_skill * people.skill[who]
    lead = np.where(people.is_lead[who], profile.lead_load, 1.0)
    return usual * np.maximum(own, 0.1) * lead * day_factor(profile, people.seed, shift.day)


def _chats(people: People, day: date, person: Ints, start: Ints, rng: np.random.Generator) -> tuple[pa.Table, pa.Table]:
    profile, count = people.profile, len(person)
    ids = row_ids("S", day, count)
    turns = 1 + rng.poisson(profile.exchanges, count)
    answered = rng.random(count) >= profile.no_reply_share

    # One line an exchange, with how many messages of each sender it holds; then one entry a message.
    session = np.repeat(np.arange(count), turns)
    first = np.concatenate([[True], session[1:] != session[:-1]]) if count else np.empty(0, bool)
    last = np.concatenate([session[1:] != session[:-1], [True]]) if count else np.empty(0, bool)
    held = np.zeros((len(session), 4), dtype=np.int64)
    held[:, CUSTOMER] = 1 + (rng.random(len(session)) < 0.25)
    held[:, BOT] = first & (rng.random(len(session)) < 0.35)
    held[:, AGENT] = np.where(answered[session], 1 + (rng.random(len(session)) < 0.15), 0)
    held[:, SYSTEM] = last & (rng.random(len(session)) < 0.5)
    blocks = held.ravel()
    sender = np.repeat(np.tile(np.arange(4), len(session)), blocks)
    in_session = np.repeat(np.repeat(session, 4), blocks)
    opening = np.repeat(np.repeat(first, 4), blocks)
    block_start = np.cumsum(blocks) - blocks
    leads_block = np.arange(len(sender)) == np.repeat(block_start, blocks)

    seconds = rng.exponential(1.0, len(sender))
    respond = _trait(people, profile.first_response_seconds)[person]
    pace = np.where(opening, respond[in_session], 0.8 * respond[in_session])
    waits = np.array([20.0, 0.8, 0.0, 25.0])[sender]
    waits = np.where(sender == AGENT, np.where(leads_block, pace, 6.0), waits)
    waits = np.where((sender == CUSTOMER) & ~leads_block, 5.0, waits)
    steady = (sender == AGENT) & leads_block  # less spread than waiting for a customer
    seconds = np.where(steady, 0.35 + 0.65 * seconds, seconds)
    at = np.cumsum((waits * seconds * 1000).astype(np.int64) + 200)
    session_start = np.cumsum(np.bincount(in_session, minlength=count)) - np.bincount(in_session, minlength=count)
    at = at - at[session_start][in_session] + start[in_session] + 500 if count else at
    number = np.arange(len(sender)) - session_start[in_session] + 1

    final = session_start + np.bincount(in_session, minlength=count) - 1
    ended = at[final] + rng.integers(1000, 60_000, count) if count else start
    open_ended = rng.random(count) < 0.01
    resolved = rng.random(count) < profile.resolved_share + 0.02 * people.skill[person]
    channel = pick(list(profile.channels.values()), rng.random(count))
    sessions = pa.table(
        {
            "session_id": ids,
            "agent_id": people_ids(people.ids, person),
            "customer_id": _customers(rng, count),
            "channel": pa.array(list(profile.channels)).take(pa.array(channel)),
            "started_at": times(start),
            "ended_at": times(ended, missing=open_ended),
            "resolved": pa.array(resolved & answered),
            "csat": _ratings(people, person, rng, allowed=answered),
        }
    )
    messages = pa.table(
        {
            "session_id": ids.take(pa.array(in_session)),
            "message_no": pa.array(number),
            "sender": pa.array(SENDERS).take(pa.array(sender)),
            "sent_at": times(at),
            "text": _texts(profile, sender, rng),
        }
    )
    return sessions, messages


def _calls(people: People, day: date, person: Ints, start: Ints, rng: np.random.Generator) -> pa.Table:
    count = len(person)
    answered = rng.random(count) >= people.profile.abandoned_share
    wait = (0.3 + 0.7 * rng.exponential(1.0, count)) * _trait(people, people.profile.answer_seconds)[person]
    talk = np.exp(rng.normal(4.9, 0.6, count))
    picked_up = start + (wait * 1000).astype(np.int64)
    ended = np.where(answered, picked_up + (talk * 1000).astype(np.int64), start + rng.integers(5000, 120_000, count))
    return pa.table(
        {
            "call_id": row_ids("C", day, count),
            "agent_id": people_ids(people.ids, person),
            "customer_id": _customers(rng, count),
            "queued_at": times(start),
            "answered_at": times(picked_up, missing=~answered),
            "ended_at": times(ended),
            "csat": _ratings(people, person, rng, allowed=answered),
        }
    )


def _trait(people: People, trait: Trait) -> Floats:
    values: Floats = trait.middle * np.exp(-trait.slope * people.skill)
    return values


def _ratings(people: People, person: Ints, rng: np.random.Generator, allowed: Flags) -> pa.Array:
    """Scores 1 to 5 of the customers who gave one."""
    profile, count = people.profile, len(person)
    share = np.clip(profile.csat_share.middle + profile.csat_share.slope * people.skill[person], 0.3, 0.99)
    good = rng.random(count) < share
    score = np.where(good, 4 + (rng.random(count) < 0.7), rng.integers(1, 4, count))
    rated = allowed & (rng.random(count) < profile.rated_share)
    return pa.array(score, pa.int64(), mask=~rated)


def _texts(profile: Profile, sender: Ints, rng: np.random.Generator) -> pa.Array:
    offsets = np.cumsum([0, *(len(profile.phrases[name]) for name in SENDERS[:-1])])  # type: ignore[index]
    sizes = np.array([len(profile.phrases[name]) for name in SENDERS])  # type: ignore[index]
    phrases = [text for name in SENDERS for text in profile.phrases[name]]  # type: ignore[index]
    return pa.array(phrases).take(
        pa.array(offsets[sender] + (rng.random(len(sender)) * sizes[sender]).astype(np.int64))
    )


def _customers(rng: np.random.Generator, count: int) -> pa.Array:
    return pc.binary_join_element_wise("U", pa.array(rng.integers(100_000, 999_999, count)).cast(pa.string()), "")
