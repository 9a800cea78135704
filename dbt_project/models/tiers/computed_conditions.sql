{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='month_start', batch_size='month',
    begin='2000-01-01', lookback=0, concurrent_batches=false) }}

{#- Every condition of every tier rule, for each employee active in the quarter whose grade is on his plan's ladder.
    A value or threshold that is absent is not met. -#}

{%- set month = batch_month() -%}
{%- set steps = steps_in_force('condition', month, 'quarter') if month[5:7] in ('03', '06', '09', '12') else [] %}
{%- set names = derived_names('quarter') %}

with recursive

{{ months_cte(ref('derived_measures').render(), month, 'this') }}
, {{ reports_cte(month) }}
, {{ quarters_cte(ref('derived_measures').render(), month) }}

, ladder as (
    select
        versions.plan
        , ladders.grade
        , lead(ladders.grade) over (partition by versions.plan_version order by ladders.position) as next_grade
        , lag(ladders.grade) over (partition by versions.plan_version order by ladders.position) as lower_grade
    from {{ source('policy', 'versions') }} as versions
    inner join {{ source('policy', 'ladders') }} as ladders
        on versions.plan_version = ladders.plan_version
    where
        versions.effective_from <= {{ last_day_of_month(month) }}
        and {{ last_day_of_month(month) }} < versions.effective_to
)

, quarter_rows as (
    {{ period_rows(month, 'quarter') }}
)

, everyone as (
    select
        quarter_rows.*
        , ladder.next_grade
        , ladder.lower_grade
        {%- for name in names %}
        , derived.{{ name }}
        {%- endfor %}
    from quarter_rows
    inner join ladder
        on quarter_rows.plan = ladder.plan and quarter_rows.grade = ladder.grade
    {%- if names %}
    left join (
        select
            employee_id
            {%- for name in names %}
            , max(case when measure = '{{ name }}' then value end) as {{ name }}
            {%- endfor %}
        from {{ ref('derived_measures') }}
        where period_kind = 'quarter' and month_start = cast('{{ month }}' as date)
        group by employee_id
    ) as derived
        on quarter_rows.employee_id = derived.employee_id
    {%- endif %}
)

, results as (
    {%- for step in steps %}
    select
        cur.month_start
        , cur.period as quarter
        , cur.employee_id
        , {{ step['rule'] }} as rule
        , '{{ step['step'] }}' as condition_name
        , '{{ step['measure'] }}' as measure
        , {{ step['value_sql'] }} as value
        , '{{ step['operator'] }}' as operator
        , {{ step['threshold_sql'] }} as threshold
        , coalesce({{ step['value_sql'] }} {{ step['operator'] }} {{ step['threshold_sql'] }}, false) as met
        , '{{ step['plan_version'] }}' as plan_version
    from everyone as cur
    where cur.plan = '{{ step['plan'] }}'
    union all
    {%- endfor %}
    select
        cast(null as date) as month_start
        , cast(null as varchar) as quarter
        , cast(null as varchar) as employee_id
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
from results
inner join {{ source('policy', 'tier_rules') }} as rules
    on results.plan_version = rules.plan_version and results.rule = rules.rule
