{{ config(materialized='view') }}

with revisions as (
    select
        quarter
        , max(revision) as revision
    from {{ source('record', 'tier_runs') }}
    where status = 'published'
    group by quarter
)

, conditions as (
    select * from {{ source('record', 'tier_conditions') }}
)

select
    conditions.employee_id
    , conditions.quarter
    , conditions.condition
    , cast(conditions.revision as integer) as revision
    , conditions.measure
    , cast(conditions.value as decimal(18, 6)) as value
    , conditions.operator
    , cast(conditions.threshold as decimal(18, 6)) as threshold
    , conditions.met
from conditions
inner join revisions
    on conditions.quarter = revisions.quarter and conditions.revision = revisions.revision
