{{ config(materialized='incremental', incremental_strategy='append', tags=['day'],
    pre_hook="{{ clear_stale_dates(['complaints']) }}") }}

{#- The complaints about an agent received on a day. -#}

select
    agent_id
    , business_date
    , count(*) as complaints
    , count(*) filter (where upheld) as complaints_upheld
    , count(resolved_at) as complaints_resolved
from {{ ref('stg_complaints') }}
group by agent_id, business_date
