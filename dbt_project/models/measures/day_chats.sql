{{ config(materialized='incremental', incremental_strategy='append', tags=['day'],
    pre_hook="{{ clear_stale_dates(['chat_sessions', 'chat_messages']) }}") }}

{#- An agent's chats of a day, as sums and counts that add up over days. -#}

select
    agent_id
    , business_date
    , count(*) as sessions
    , count(*) filter (where agent_messages > 0) as answered_sessions
    , count(*) filter (where resolved) as resolved_sessions
    , count(first_response_us) as first_responses
    , cast(coalesce(sum(first_response_us), 0) as bigint) as first_response_us
    , cast(sum(replies) as bigint) as replies
    , cast(sum(response_us) as bigint) as response_us
    , count(ended_at) as ended_sessions
    , cast(coalesce(sum({{ microseconds_between('started_at', 'ended_at') }}), 0) as bigint) as handle_us
    , count(csat) as rated
    , count(*) filter (where csat >= 4) as satisfied
    , cast(coalesce(sum(csat), 0) as bigint) as csat_sum
from {{ ref('fct_sessions') }}
where business_date in {{ stale_dates(['chat_sessions', 'chat_messages']) }}
group by agent_id, business_date
