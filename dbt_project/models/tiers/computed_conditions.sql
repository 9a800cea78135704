{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='month_start', batch_size='month',
    begin='2000-01-01', lookback=0, concurrent_batches=false) }}

{#- Every condition of every tier rule that is for the grade of an employee active in the quarter. A value or threshold
    that is absent is not met. Where places are contested, the place taken is a condition like the others. -#}

{%- set month = batch_month() -%}
{%- set quarter_ends = month[5:7] in ('03', '06', '09', '12') -%}
{%- set steps = steps_in_force('condition', month, 'quarter') if quarter_ends else [] -%}
{%- set contests = steps_in_force('contest', month, 'quarter') if quarter_ends else [] %}

with recursive

{{ months_cte(ref('derived_measures').render(), month, 'this') }}
, {{ reports_cte(month) }}
, {{ quarters_cte(ref('derived_measures').render(), month) }}

, {{ ladder_cte(month) }}

, quarter_rows as (
    {{ period_rows(month, 'quarter', ['quarter']) }}
)

, everyone as (
    select
        quarter_rows.*
        , ladder.plan_version
        , ladder.next_grade
        , ladder.lower_grade
    from quarter_rows
    inner join ladder
        on quarter_rows.plan = ladder.plan and quarter_rows.grade = ladder.grade
)
{{- planned_ctes('everyone', steps | list + contests | list) }}

, results as (
    {%- for step in steps %}
    select
        cur.month_start
        , cur.period as quarter
        , cur.employee_id
        , cur.grade
        , {{ step['rule'] }} as rule
        , '{{ step['step'] }}' as condition_name
        , '{{ step['measure'] }}' as measure
        , {{ step['value_sql'] }} as value
        , '{{ step['operator'] }}' as operator
        , {{ step['threshold_sql'] }} as threshold
        , coalesce({{ step['value_sql'] }} {{ step['operator'] }} {{ step['threshold_sql'] }}, false) as met
        , cur.plan_version
    from planned_{{ step['plan'] }}_parts as cur
    union all
    {%- endfor %}
    select
        cast(null as date) as month_start
        , cast(null as varchar) as quarter
        , cast(null as varchar) as employee_id
        , cast(null as varchar) as grade
        , cast(null as integer) as rule
        , cast(null as varchar) as condition_name
        , cast(null as varchar) as measure
        , cast(null as decimal(18, 6)) as value
        , cast(null as varchar) as operator
        , cast(null as decimal(18, 6)) as threshold
        , cast(null as boolean) as met
        , cast(null as varchar) as plan_version
    where false
)

, conditions_0 as (
    select
        results.month_start
        , results.quarter
        , results.employee_id
        , results.rule
        , results.condition_name
        , results.measure
        , results.value
        , results.operator
        , results.threshold
        , results.met
        , results.plan_version
    from results
    inner join {{ source('policy', 'tier_moves') }} as moves
        on results.plan_version = moves.plan_version and results.rule = moves.rule and results.grade = moves.grade
)
{{- contest_ctes(contests) }}

select
    cast(results.month_start as date) as month_start
    , results.quarter
    , results.employee_id
    , cast(results.rule as integer) as rule
    , concat(rules.decision, '.', results.condition_name) as condition
    , results.measure
    , cast(results.value as decimal(18, 6)) as value
    , results.operator
    , cast(results.threshold as decimal(18, 6)) as threshold
    , results.met
    , results.plan_version
from conditions_{{ contests | length }} as results
inner join {{ source('policy', 'tier_rules') }} as rules
    on results.plan_version = rules.plan_version and results.rule = rules.rule
