{{ config(materialized='view') }}

{#- The derived measures of all period kinds. -#}

select
    employee_id
    , period_kind
    , period
    , month_start
    , plan_version
    , measure
    , value
    , explanation
from {{ ref('derived_monthly') }}
union all
select
    employee_id
    , period_kind
    , period
    , month_start
    , plan_version
    , measure
    , value
    , explanation
from {{ ref('derived_quarterly') }}
union all
select
    employee_id
    , period_kind
    , period
    , month_start
    , plan_version
    , measure
    , value
    , explanation
from {{ ref('derived_yearly') }}
