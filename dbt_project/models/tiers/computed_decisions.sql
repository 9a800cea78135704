{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='month_start', batch_size='month',
    begin='2000-01-01', lookback=0, concurrent_batches=false) }}

{#- What each employee active in a quarter is decided by the first rule that holds for his grade; what the rule does to
    the grade stands in policy.tier_moves. -#}

{%- set month = batch_month() %}

with {{ ladder_cte(month) }}

, planned as (
    select distinct plan, plan_version
    from ladder
)

, employees as (
    select
        wide.*
        , planned.plan_version
        , ladder.grade as grade_on_ladder
    from {{ ref('period_wide') }} as wide
    left join planned
        on wide.plan = planned.plan
    left join ladder
        on planned.plan_version = ladder.plan_version and wide.grade = ladder.grade
    where wide.period_kind = 'quarter' and wide.month_start = cast('{{ month }}' as date)
)

, conditions as (
    select * from {{ ref('computed_conditions') }}
    where month_start = cast('{{ month }}' as date)
)

, first_rule as (
    {{ first_rule('employees', 'conditions') }}
)

-- What the rules before the one that decided found missing.
, missing_by_rule as (
    select
        conditions.employee_id
        , conditions.rule
        , rules.decision
        , {{ joined_text("concat(steps.said, ' ', policy.text_of(conditions.value), ' not ', "
            ~ "conditions.operator, ' ', policy.text_of(conditions.threshold))", 'conditions.condition') }} as missing
    from conditions
    inner join {{ source('policy', 'tier_rules') }} as rules
        on conditions.plan_version = rules.plan_version and conditions.rule = rules.rule
    inner join {{ source('policy', 'steps') }} as steps
        on
            conditions.plan_version = steps.plan_version
            and conditions.rule = steps.rule
            and conditions.condition = concat(rules.decision, '.', steps.step)
    where not conditions.met
    group by conditions.employee_id, conditions.rule, rules.decision
)

, missing as (
    select
        employee_id
        , {{ joined_text("concat(decision, ': ', missing)", 'rule') }} as missing
    from missing_by_rule
    group by employee_id
)

-- When a public notice of so many working days ends, which some rules wait for.
, notices as (
    select
        cases.employee_id
        , rules.plan_version
        , rules.rule
        , min(days.day) as notice_ends
    from {{ ref('quarter_cases') }} as cases
    cross join {{ source('policy', 'tier_rules') }} as rules
    inner join {{ source('control', 'working_days') }} as days
        on cases.announced_number + rules.notice_days <= days.number
    where cases.month_start = cast('{{ month }}' as date) and rules.notice_days is not null
    group by cases.employee_id, rules.plan_version, rules.rule
)

, decided as (
    select
        employees.*
        , moves.grade_after
        , first_rule.rule
        , rules.reason_en
        , missing.missing
        , {{ next_day(last_day_of_month_of('greatest(employees.period_end, notices.notice_ends)')) }} as effective_from
        , case
            when employees.plan_version is null or employees.grade_on_ladder is null then 'not_rated'
            when employees.active_all_months = 0 or employees.active_last_day = 0 then 'not_rated'
            else coalesce(moves.decision, 'hold')
        end as decision
    from employees
    left join first_rule
        on employees.employee_id = first_rule.employee_id
    left join {{ source('policy', 'tier_moves') }} as moves
        on
            employees.plan_version = moves.plan_version
            and employees.grade = moves.grade
            and first_rule.rule = moves.rule
    left join {{ source('policy', 'tier_rules') }} as rules
        on employees.plan_version = rules.plan_version and first_rule.rule = rules.rule
    left join notices
        on
            employees.employee_id = notices.employee_id
            and employees.plan_version = notices.plan_version
            and first_rule.rule = notices.rule
    left join missing
        on employees.employee_id = missing.employee_id
)

select
    cast(month_start as date) as month_start
    , period as quarter
    , employee_id
    , plan
    , post
    , grade as grade_before
    , decision
    , case when decision in ('promote', 'demote') then grade_after else grade end as grade_after
    , cast(effective_from as date) as effective_from
    , case
        when plan_version is null then 'the plan has no tier rules'
        when grade_on_ladder is null then concat('grade ', coalesce(grade, 'none'), ' is not on the plan''s ladder')
        when active_all_months = 0 then 'not active in every month of the quarter'
        when active_last_day = 0 then 'gone by the last day of the quarter'
        when decision in ('promote', 'demote', 'dismiss_review') then reason_en
        else concat_ws('; ', reason_en, missing)
    end as reason
    , plan_version
    , cast(rule as integer) as rule
from decided
