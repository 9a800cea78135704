"""The day's QA sample: which interactions the reviewers look at."""

from __future__ import annotations

from datetime import date


def pick_sql(relation: str, business_date: date, figure: int) -> str:
    """SQL that picks `figure` interactions an agent out of `relation` (agent_id, interaction_id, channel, came_at).

    The agent's day is cut into `figure` stretches with equally many interactions, and one is taken from each. Which
    one: the channel whose turn it is in that stretch (the turns start at a place that date and agent decide), and
    within a channel the smallest hash of date, agent and id. The same rows give the same sample on any machine.
    Agents with fewer interactions get all of them. The result has all columns of `relation`.
    """
    day = business_date.isoformat()
    return f"""
        with ranked as (
            select *,
                row_number() over (partition by agent_id order by came_at, interaction_id) - 1 as _place,
                count(*) over (partition by agent_id) as _of,
                dense_rank() over (partition by agent_id order by md5('{day}|' || agent_id || '|' || channel)) as _turn,
                md5('{day}|' || agent_id || '|' || interaction_id) as _hash
            from {relation}
        ),
        placed as (
            select *,
                case when _of <= {figure} then _place else _place * {figure} // _of end as _stretch,
                max(_turn) over (partition by agent_id) as _channels
            from ranked
        ),
        chosen as (
            select *,
                row_number() over (
                    partition by agent_id, _stretch order by (_turn + _stretch) % _channels, _hash, interaction_id
                ) as _choice
            from placed
        )
        select * exclude (_place, _of, _turn, _hash, _stretch, _channels, _choice) from chosen
        where _choice = 1 and _stretch < {figure}"""
