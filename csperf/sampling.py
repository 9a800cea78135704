"""The rule by which the day's QA sample is drawn, as one piece of SQL."""

from __future__ import annotations


def pick_sql(relation: str) -> str:
    """SQL that picks the sample of each agent and date out of a relation.

    `relation` has business_date, agent_id, interaction_id, channel, came_at and sample_size (how many to pick). The
    agent's day is cut into that many stretches with equally many interactions, and one is taken from each. Which one:
    the channel whose turn it is in that stretch (the order of the turns hangs on date and agent), and within a channel
    the smallest hash of date, agent and id. The same rows give the same sample on any machine. Agents with fewer
    interactions get all of them. The result has all columns of `relation`.
    """
    return f"""
        with ranked as (
            select *,
                row_number() over (of_day order by came_at, interaction_id) - 1 as _place,
                count(*) over (of_day) as _count,
                dense_rank() over (of_day order by md5(business_date || '|' || agent_id || '|' || channel)) as _turn,
                md5(business_date || '|' || agent_id || '|' || interaction_id) as _hash
            from {relation}
            window of_day as (partition by business_date, agent_id)
        ),
        placed as (
            select *,
                case when _count <= sample_size then _place else _place * sample_size // _count end as _stretch,
                max(_turn) over (partition by business_date, agent_id) as _channels
            from ranked
        ),
        chosen as (
            select *,
                row_number() over (
                    partition by business_date, agent_id, _stretch
                    order by (_turn + _stretch) % _channels, _hash, interaction_id
                ) as _choice
            from placed
        )
        select * exclude (_place, _count, _turn, _hash, _stretch, _channels, _choice) from chosen
        where _choice = 1 and _stretch < sample_size"""
