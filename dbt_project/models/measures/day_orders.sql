{{ config(materialized='incremental', incremental_strategy='append', tags=['day'],
    pre_hook="{{ clear_stale_dates(['orders']) }}") }}

{#- The orders of an agent paid on a day; a silent order was placed without asking anyone. -#}

select
    agent_id
    , business_date
    , count(*) as orders
    , cast(sum(amount) as decimal(18, 6)) as sales_amount
    , cast(sum(refund_amount) as decimal(18, 6)) as refund_amount
    , cast(coalesce(sum(amount - refund_amount) filter (where silent), 0) as decimal(18, 6)) as silent_amount
from {{ ref('stg_orders') }}
group by agent_id, business_date
