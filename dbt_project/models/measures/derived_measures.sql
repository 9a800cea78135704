{{ config(materialized='view') }}

{#- The derived measures of all period kinds. -#}

{%- for kind in ['monthly', 'quarterly', 'yearly'] %}
select
    employee_id
    , period_kind
    , period
    , month_start
    , plan_version
    , measure
    , value
    , explanation
from {{ ref('derived_' ~ kind) }}
{%- if not loop.last %}
union all
{%- endif %}
{%- endfor %}
