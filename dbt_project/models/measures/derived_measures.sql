{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='month_start', batch_size='month',
    begin='2000-01-01', lookback=0, concurrent_batches=false) }}

{#- The derived measures of the plans in force, a month after the other: a step may read what an earlier month
    stored. The common steps come first, for everyone; then each plan's own for its members. -#}

{%- set month = batch_month() -%}
{%- set kinds = ['month', 'quarter', 'year'] if month[5:7] == '12' else
    ['month', 'quarter'] if month[5:7] in ('03', '06', '09') else ['month'] -%}
{%- set stored = this if is_incremental() else none -%}
{%- set found = [] %}

with recursive

{{ months_cte(stored, month, 'before') }}
, {{ reports_cte(month) }}

{% for kind in kinds %}
{%- set steps = steps_in_force('measure', month, kind) -%}
{%- set common = steps | selectattr('everyone') | list %}
, {{ kind }}_0 as (
    {{ period_rows(month, kind) }}
)
{{- level_ctes(kind, common) }}
{%- do found.append((kind ~ '_' ~ level_count(common), kind, common)) %}
{%- for plan_version, own in (steps | rejectattr('everyone') | groupby('plan_version')) %}
{%- set plan_rows = kind ~ '_' ~ loop.index ~ 'p' %}
, {{ plan_rows }}_0 as (
    select * from {{ kind }}_{{ level_count(common) }} where plan = '{{ own[0]['plan'] }}'
)
{{- level_ctes(plan_rows, own) }}
{%- do found.append((plan_rows ~ '_' ~ level_count(own), kind, own)) %}
{%- endfor %}
{% endfor %}

, results as (
    {%- for rows, kind, steps in found %}
    {%- for step in steps %}
    select
        employee_id
        , '{{ kind }}' as period_kind
        , period
        , month_start
        , '{{ step['plan_version'] }}' as plan_version
        , '{{ step['step'] }}' as measure
        , {{ step['step'] }} as value
        , {{ step['step'] }}__why as explanation
    from {{ rows }}
    union all
    {%- endfor %}
    {%- endfor %}
    select
        cast(null as varchar) as employee_id
        , cast(null as varchar) as period_kind
        , cast(null as varchar) as period
        , cast(null as date) as month_start
        , cast(null as varchar) as plan_version
        , cast(null as varchar) as measure
        , cast(null as decimal(18, 6)) as value
        , cast(null as varchar) as explanation
    where false
)

select
    employee_id
    , period_kind
    , period
    , cast(month_start as date) as month_start
    , plan_version
    , measure
    , cast(value as decimal(18, 6)) as value
    , explanation
from results
where value is not null
