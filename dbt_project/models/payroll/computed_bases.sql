{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='month_start', batch_size='month',
    begin='2000-01-01', lookback=0, concurrent_batches=false) }}

{#- The unprorated monthly base of each employee whose plan has one; empty where the roster's base_salary is not what
    the plan allows for the grade, or the plan has no figure for it. -#}

{%- set month = batch_month() -%}
{%- set steps = [] -%}
{%- for step in steps_in_force('review', month) if step['step'] == 'base' -%}
    {%- do steps.append(step) -%}
{%- endfor %}

with recursive

{{ pay_rows_ctes(month, steps) }}
{{- planned_ctes('everyone', steps) }}

, bases as (
    {%- for step in steps %}
    select
        cur.employee_id
        , cur.month_start
        , {{ step['value_sql'] }} as base_amount
        , '{{ step['plan_version'] }}' as policy_version
    from planned_{{ step['plan'] }}_parts as cur
    union all
    {%- endfor %}
    select
        cast(null as varchar) as employee_id
        , cast(null as date) as month_start
        , cast(null as decimal(18, 6)) as base_amount
        , cast(null as varchar) as policy_version
    where false
)

select
    cast(month_start as date) as month_start
    , employee_id
    , cast(base_amount as decimal(18, 6)) as base_amount
    , policy_version
from bases
