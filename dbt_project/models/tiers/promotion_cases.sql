{{ config(materialized='view') }}

{#- How far each promotion case has come (晋升流程): by what its newest delivery says, and once its quarter is decided,
    by the decision. The public notice is over after as many working days as the ladder of the applicant's plan asks. -#}

with told as (
    select max(business_date) as told_on
    from {{ source('control', 'newest') }}
    where dataset = 'promotion_cases'
)

, notice_by_plan as (
    select
        plan
        , max(notice_days) as notice_days
    from {{ source('policy', 'tier_rules') }}
    group by plan
)

, cases as (
    select
        cases.*
        , decisions.decision
        , decisions.effective_from
        , reached.number - announced.number as notice_so_far
        , coalesce(notice_by_plan.notice_days, 0) as notice_days
    from {{ ref('stg_promotion_cases') }} as cases
    cross join told
    left join {{ ref('tier_quarterly') }} as decisions
        on cases.employee_id = decisions.employee_id and cases.quarter = decisions.quarter
    left join notice_by_plan
        on decisions.plan = notice_by_plan.plan
    left join {{ source('control', 'working_days') }} as announced
        on cases.announced_on = announced.day
    left join {{ source('control', 'working_days') }} as reached
        on told.told_on = reached.day
)

, stated as (
    select
        *
        , case
            when withdrawn_on is not null then 'withdrawn'
            when supervisor_opinion = 'oppose' then 'rejected'
            when 'reject' in (panel_decision, hr_decision) or objection = 'upheld' then 'rejected'
            when supervisor_opinion is null then 'supervisor_review'
            when panel_decision is null or announced_on is null then 'panel_review'
            when coalesce(objection, 'none') = 'open' or notice_so_far < notice_days then 'announced'
            when hr_decision is null then 'hr_review'
            when decision is null then 'hr_review'
            when decision = 'promote' then 'effective'
            else 'rejected'
        end as state
    from cases
)

select
    case_id
    , employee_id
    , quarter
    , applied_on
    , state
    , announced_on
    , cast(notice_so_far as bigint) as notice_days
    , case when state = 'effective' then effective_from end as effective_from
    , case
        when state <> 'rejected' then null
        when supervisor_opinion = 'oppose' then 'the supervisor opposes'
        when panel_decision = 'reject' then 'the panel rejects'
        when objection = 'upheld' then 'an objection is upheld'
        when hr_decision = 'reject' then 'HR rejects'
        else 'the ladder''s other conditions are not met'
    end as reason
from stated
