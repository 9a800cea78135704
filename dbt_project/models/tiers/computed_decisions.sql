{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='month_start', batch_size='month',
    begin='2000-01-01', lookback=0, concurrent_batches=false) }}

{#- What each employee active in a quarter is decided by the first rule that holds. A promotion needs a grade above;
    where a demotion finds none below, the rule's `lowest` decides. -#}

{%- set month = batch_month() %}

with employees as (
    select
        wide.*
        , {{ next_day('wide.period_end') }} as effective_from
    from {{ ref('period_wide') }} as wide
    where wide.period_kind = 'quarter' and wide.month_start = cast('{{ month }}' as date)
)

, versions as (
    select plan, plan_version
    from {{ source('policy', 'versions') }}
    where
        ladder is not null
        and effective_from <= {{ last_day_of_month(month) }}
        and {{ last_day_of_month(month) }} < effective_to
)

, ladders as (
    select
        versions.plan
        , versions.plan_version
        , ladders.grade
        , lead(ladders.grade) over (partition by versions.plan_version order by ladders.position) as next_grade
        , lag(ladders.grade) over (partition by versions.plan_version order by ladders.position) as lower_grade
    from versions
    inner join {{ source('policy', 'ladders') }} as ladders
        on versions.plan_version = ladders.plan_version
)

, conditions as (
    select
        employee_id
        , rule
        , min(case when met then 1 else 0 end) as all_met
        , {{ joined_text(
            "case when not met then concat(measure, ' ', policy.text_of(value), ' not ', operator, ' ', "
            ~ "policy.text_of(threshold)) end", 'condition') }} as missing
    from {{ ref('computed_conditions') }}
    where month_start = cast('{{ month }}' as date)
    group by employee_id, rule
)

, holding as (
    select
        employees.employee_id
        , rules.rule
        , rules.decision
        , rules.lowest
        , rules.reason_en
        , conditions.missing
        , (
            coalesce(conditions.all_met, 1) = 1
            and (rules.decision <> 'promote' or ladders.next_grade is not null)
            and (rules.grades is null or concat(',', rules.grades, ',') like concat('%,', employees.grade, ',%'))
        ) as holds
    from employees
    inner join ladders
        on employees.plan = ladders.plan and employees.grade = ladders.grade
    inner join {{ source('policy', 'tier_rules') }} as rules
        on ladders.plan_version = rules.plan_version
    left join conditions
        on employees.employee_id = conditions.employee_id and rules.rule = conditions.rule
)

, first_rule as (
    select
        employee_id
        , min(case when holds then rule end) as rule
        , {{ joined_text("case when not holds and missing is not null then concat(decision, ': ', missing) end",
            'rule') }} as missing
    from holding
    group by employee_id
)

, decided as (
    select
        employees.*
        , versions.plan_version
        , ladders.next_grade
        , ladders.lower_grade
        , first_rule.missing
        , holding.reason_en
        , case
            when versions.plan is null or ladders.grade is null then 'not_rated'
            when employees.active_all_months = 0 or employees.active_last_day = 0 then 'not_rated'
            when holding.decision = 'demote' and ladders.lower_grade is null then holding.lowest
            else coalesce(holding.decision, 'hold')
        end as decision
    from employees
    left join versions
        on employees.plan = versions.plan
    left join ladders
        on employees.plan = ladders.plan and employees.grade = ladders.grade
    left join first_rule
        on employees.employee_id = first_rule.employee_id
    left join holding
        on first_rule.employee_id = holding.employee_id and first_rule.rule = holding.rule
)

select
    cast(month_start as date) as month_start
    , period as quarter
    , employee_id
    , plan
    , post
    , grade as grade_before
    , decision
    , case
        when decision = 'promote' then next_grade
        when decision = 'demote' then lower_grade
        else grade
    end as grade_after
    , cast(effective_from as date) as effective_from
    , case
        when plan_version is null then 'the plan has no tier rules'
        when next_grade is null and lower_grade is null then concat('grade ', grade, ' is not on the plan''s ladder')
        when active_all_months = 0 then 'not active in every month of the quarter'
        when active_last_day = 0 then 'gone by the last day of the quarter'
        when decision in ('promote', 'demote', 'dismiss_review') then reason_en
        else concat_ws('; ', reason_en, missing)
    end as reason
    , plan_version
from decided
