{{ config(materialized='incremental', incremental_strategy='append', tags=['day'],
    pre_hook="{{ clear_stale_dates(['calls']) }}") }}

{#- An agent's calls of a day. -#}

select
    agent_id
    , business_date
    , count(*) as calls
    , count(answered_at) as calls_answered
    , cast(coalesce(sum({{ microseconds_between('queued_at', 'answered_at') }}), 0) as bigint) as wait_us
    , count(*) filter (where answered_at is not null and ended_at is not null) as ended_calls
    , cast(coalesce(sum({{ microseconds_between('answered_at', 'ended_at') }}), 0) as bigint) as handle_us
    , count(csat) as rated
    , count(*) filter (where csat >= 4) as satisfied
    , cast(coalesce(sum(csat), 0) as bigint) as csat_sum
from {{ ref('stg_calls') }}
group by agent_id, business_date
