{{ config(materialized='incremental', incremental_strategy='append', tags=['day'],
    pre_hook="{{ clear_stale_dates(['tickets']) }}") }}

{#- The tickets that an agent created on a day. -#}

select
    agent_id
    , business_date
    , count(*) as tickets
    , count(closed_at) as tickets_closed
    , count(*) filter (where is_error) as error_tickets
from {{ ref('stg_tickets') }}
group by agent_id, business_date
