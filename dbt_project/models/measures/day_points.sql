{{ config(materialized='incremental', incremental_strategy='append', tags=['day'],
    pre_hook="{{ clear_stale_dates(['points']) }}") }}

{#- The points given to an employee on a day. -#}

select
    employee_id
    , business_date
    , cast(coalesce(sum(points) filter (where kind = 'execution'), 0) as decimal(18, 6)) as execution_points
    , cast(coalesce(sum(points) filter (where kind = 'excellent_case'), 0) as decimal(18, 6)) as excellent_case_points
    , cast(coalesce(sum(points) filter (where kind = 'extra'), 0) as decimal(18, 6)) as extra_points
from {{ ref('stg_points') }}
group by employee_id, business_date
