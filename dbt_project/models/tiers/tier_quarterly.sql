{{ config(materialized='view') }}

with revisions as (
    select
        quarter
        , max(revision) as revision
    from {{ source('record', 'tier_runs') }}
    where status = 'published'
    group by quarter
)

, decisions as (
    select * from {{ source('record', 'tier_decisions') }}
)

select
    decisions.employee_id
    , decisions.quarter
    , cast(decisions.revision as integer) as revision
    , decisions.plan
    , decisions.post
    , decisions.grade_before
    , decisions.decision
    , decisions.grade_after
    , decisions.effective_from
    , decisions.reason
from decisions
inner join revisions
    on decisions.quarter = revisions.quarter and decisions.revision = revisions.revision
