{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='month_start', batch_size='month',
    begin='2000-01-01', lookback=0, concurrent_batches=false) }}

{#- Pay lines as they come out today, for every built month: what a closing publishes, and what `explain` shows for
    an open month. A component whose amount is absent has no line. -#}

{%- set month = batch_month() -%}
{%- set paid_now = ['month', 'quarter', 'year'] if month[5:7] == '12' else
    ['month', 'quarter'] if month[5:7] in ('03', '06', '09') else ['month'] -%}
{#- A component that is not paid this month is absent: others may add it up. -#}
{%- set steps = [] -%}
{%- for step in steps_in_force('component', month) -%}
    {%- if step['frequency'] in paid_now -%}
        {%- do steps.append(step) -%}
    {%- else -%}
        {%- do steps.append({
            'plan': step['plan'], 'plan_version': step['plan_version'], 'step': step['step'], 'level': step['level'],
            'component_group': step['component_group'], 'value_sql': 'cast(null as decimal(18, 2))',
            'explanation_sql': 'cast(null as varchar)', 'parts': none}) -%}
    {%- endif -%}
{%- endfor %}

with recursive

{{ pay_rows_ctes(month, steps) }}

{%- for plan_version, own in steps | groupby('plan_version') %}
, plan_{{ loop.index }}_0 as (
    select * from everyone where plan = '{{ own[0]['plan'] }}'
)
{{- level_ctes('plan_' ~ loop.index, own) }}
{%- endfor %}

, results as (
    {%- for plan_version, own in steps | groupby('plan_version') %}
    {%- set rows = 'plan_' ~ loop.index ~ '_' ~ level_count(own) %}
    {%- for step in own %}
    select
        month_start
        , employee_id
        , '{{ step['step'] }}' as component
        , '{{ step['component_group'] }}' as component_group
        , {{ step['step'] ~ '__quantity' if step['quantity_sql'] else 'cast(null as decimal(18, 6))' }} as quantity
        , {{ step['step'] ~ '__rate' if step['rate_sql'] else 'cast(null as decimal(18, 6))' }} as rate
        , {{ step['step'] ~ '__base' if step['base_sql'] else 'cast(null as decimal(18, 6))' }} as base_amount
        , {{ step['step'] }} as amount
        , '{{ plan_version }}' as policy_version
        , {{ step['step'] }}__why as explanation
    from {{ rows }}
    union all
    {%- endfor %}
    {%- endfor %}
    select
        cast(null as date) as month_start
        , cast(null as varchar) as employee_id
        , cast(null as varchar) as component
        , cast(null as varchar) as component_group
        , cast(null as decimal(18, 6)) as quantity
        , cast(null as decimal(18, 6)) as rate
        , cast(null as decimal(18, 6)) as base_amount
        , cast(null as decimal(18, 2)) as amount
        , cast(null as varchar) as policy_version
        , cast(null as varchar) as explanation
    where false
)

select
    cast(month_start as date) as month_start
    , {{ period_text('month_start', 'month') }} as pay_month
    , employee_id
    , component
    , component_group
    , cast(quantity as decimal(18, 6)) as quantity
    , cast(rate as decimal(18, 6)) as rate
    , cast(base_amount as decimal(18, 6)) as base_amount
    , cast(amount as decimal(18, 2)) as amount
    , policy_version
    , explanation
from results
where amount is not null
