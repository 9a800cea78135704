{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='month_start', batch_size='month',
    begin='2000-01-01', lookback=0, concurrent_batches=false) }}

{#- Proposals for a new base (薪资调整): in December by the plan's yearly review, at a quarter's end for whom a rule
    promotes with a raise. They take effect when the roster carries the new base_salary. -#}

{%- set month = batch_month() -%}
{%- set shares = [] -%}
{%- for step in steps_in_force('review', month) if step['step'] == 'raise_share' and month[5:7] == '12' -%}
    {%- do shares.append(step) -%}
{%- endfor %}

with recursive

{{ pay_rows_ctes(month, shares) }}
{{- planned_ctes('everyone', shares) }}

, bases as (
    select
        employee_id
        , base_amount as base
    from {{ ref('computed_bases') }}
    where month_start = cast('{{ month }}' as date)
)

, yearly as (
    {%- for step in shares %}
    select
        cur.employee_id
        , {{ step['value_sql'] }} as raise_share
        , {{ step['explanation_sql'] }} as explanation
        , '{{ step['plan_version'] }}' as policy_version
    from planned_{{ step['plan'] }}_parts as cur
    union all
    {%- endfor %}
    select
        cast(null as varchar) as employee_id
        , cast(null as decimal(18, 6)) as raise_share
        , cast(null as varchar) as explanation
        , cast(null as varchar) as policy_version
    where false
)

, promoted as (
    select
        decisions.employee_id
        , decisions.quarter
        , rules.base_raise as raise_share
        , rules.leave_days
        , rules.reason_en as explanation
        , decisions.plan_version as policy_version
        , decisions.effective_from
    from {{ ref('computed_decisions') }} as decisions
    inner join {{ source('policy', 'tier_rules') }} as rules
        on decisions.plan_version = rules.plan_version and decisions.rule = rules.rule
    where
        decisions.month_start = cast('{{ month }}' as date)
        and decisions.decision = 'promote'
        and (rules.base_raise is not null or rules.leave_days is not null)
)

, proposals as (
    select
        everyone.month_start
        , yearly.employee_id
        , {{ period_text('everyone.month_start', 'year') }} as period
        , 'yearly' as kind
        , coalesce(bases.base, everyone.base_salary) as base_before
        , yearly.raise_share
        , cast(null as decimal(18, 6)) as leave_days
        , {{ next_day(last_day_of_month_of('everyone.month_start')) }} as proposed_from
        , yearly.explanation
        , yearly.policy_version
    from yearly
    inner join everyone
        on yearly.employee_id = everyone.employee_id
    left join bases
        on yearly.employee_id = bases.employee_id
    union all
    select
        everyone.month_start
        , promoted.employee_id
        , promoted.quarter as period
        , 'promotion' as kind
        , coalesce(bases.base, everyone.base_salary) as base_before
        , promoted.raise_share
        , promoted.leave_days
        , promoted.effective_from as proposed_from
        , promoted.explanation
        , promoted.policy_version
    from promoted
    inner join everyone
        on promoted.employee_id = everyone.employee_id
    left join bases
        on promoted.employee_id = bases.employee_id
)

select
    cast(month_start as date) as month_start
    , employee_id
    , period
    , kind
    , cast(base_before as decimal(18, 2)) as base_before
    , cast(raise_share as decimal(18, 6)) as raise_share
    , cast(round(base_before * (1 + raise_share), 2) as decimal(18, 2)) as base_after
    , cast(leave_days as decimal(18, 6)) as leave_days
    , cast(proposed_from as date) as proposed_from
    , explanation
    , policy_version
from proposals
