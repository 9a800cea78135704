{#- The derived measures of one period kind by the plans in force: the common steps first, for everyone, then each plan's
    own for its members. `months` and `quarters` are the CTEs that a look over earlier periods reads. -#}
{% macro derive(kind, month, months, quarters) -%}
{%- set ends = {'month': true, 'quarter': month[5:7] in ('03', '06', '09', '12'), 'year': month[5:7] == '12'} -%}
{%- set steps = steps_in_force('measure', month, kind) if ends[kind] else [] -%}
{%- set common = steps | selectattr('everyone') | list -%}
{%- set found = [] %}
with recursive

{{ months }}
, {{ reports_cte(month) }}
, {{ quarters }}

, everyone_0 as (
    {{ period_rows(month, kind, steps=steps) }}
)
{{- level_ctes('everyone', common) }}
{%- do found.append(('everyone_' ~ level_count(common), common)) %}
{%- for plan_version, own in (steps | rejectattr('everyone') | groupby('plan_version')) %}
{%- set plan_rows = 'plan_' ~ loop.index %}
, {{ plan_rows }}_0 as (
    select * from everyone_{{ level_count(common) }} where plan = '{{ own[0]['plan'] }}'
)
{{- level_ctes(plan_rows, own) }}
{%- do found.append((plan_rows ~ '_' ~ level_count(own), own)) %}
{%- endfor %}

, results as (
    {%- for rows, steps in found %}
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
{%- endmacro %}
