-- One decision an employee and quarter; only promotions and demotions change the grade.
with decisions as (
    select
        quarter
        , employee_id
        , decision
        , grade_before
        , grade_after
        , count(*) over (partition by quarter, employee_id) as times
    from {{ ref('tier_quarterly') }}
)

select *
from decisions
where
    times > 1
    or (decision in ('promote', 'demote') and coalesce(grade_after, '') = coalesce(grade_before, ''))
    or (decision not in ('promote', 'demote') and coalesce(grade_after, '') <> coalesce(grade_before, ''))
