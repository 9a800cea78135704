{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='month_start', batch_size='month',
    begin='2000-01-01', lookback=0, concurrent_batches=false) }}

{#- Everyone on the roster in force in a month. A decided grade takes the place of the roster's from its
    effective_from on, until a roster carries a grade_since at or after that date. -#}

{%- set month = batch_month() %}

with newest as (
    select quarter, max(revision) as revision
    from {{ source('published', 'tier_runs') }}
    where status = 'published'
    group by quarter
)

, decisions as (
    select
        decisions.employee_id
        , decisions.grade_after
        , decisions.effective_from
        , row_number() over (
            partition by decisions.employee_id order by decisions.effective_from desc, decisions.quarter desc
        ) as place
    from {{ source('published', 'tier_decisions') }} as decisions
    inner join newest
        on decisions.quarter = newest.quarter and decisions.revision = newest.revision
    where
        decisions.decision in ('promote', 'demote')
        and decisions.effective_from <= {{ last_day_of_month(month) }}
)

select
    cast(roster.month_start as date) as month_start
    , roster.employee_id
    , roster.name
    , roster.post
    , case
        when roster.grade_since >= decisions.effective_from then roster.grade
        else coalesce(decisions.grade_after, roster.grade)
    end as grade
    , case
        when roster.grade_since >= decisions.effective_from then roster.grade_since
        else coalesce(decisions.effective_from, roster.grade_since)
    end as grade_since
    , roster.grade as roster_grade
    , case when decisions.grade_after is null or roster.grade_since >= decisions.effective_from then 0 else 1 end
        as grade_decided
    , roster.team
    , roster.lead_id
    , roster.employment
    , roster.education
    , roster.city
    , roster.plan
    , roster.base_salary
    , roster.hire_date
    , roster.leave_date
from {{ ref('stg_employees') }} as roster
left join decisions
    on roster.employee_id = decisions.employee_id and decisions.place = 1
where roster.month_start = cast('{{ month }}' as date)
