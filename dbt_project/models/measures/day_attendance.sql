{{ config(materialized='incremental', incremental_strategy='append', tags=['day'],
    pre_hook="{{ clear_stale_dates(['attendance']) }}") }}

{#- An employee's attendance of a day. -#}

select
    employee_id
    , business_date
    , count(*) filter (where scheduled_hours > 0) as scheduled_days
    , count(*) filter (where scheduled_hours > 0 and status in ('present', 'late')) as worked_days
    , count(*) filter (where scheduled_hours > 0 and status in ('present', 'late', 'paid_leave')) as paid_days
    , count(*) filter (where scheduled_hours > 0 and status = 'present') as present_days
    , count(*) filter (where status = 'late') as late_days
    , count(*) filter (where status = 'absent') as absent_days
    , count(*) filter (where status = 'unpaid_leave') as unpaid_leave_days
    , count(*) filter (where night_shift) as night_shifts
    , cast(coalesce(sum(overtime_hours) filter (where overtime_kind = 'workday'), 0) as decimal(18, 6))
        as overtime_hours_workday
    , cast(coalesce(sum(overtime_hours) filter (where overtime_kind = 'restday'), 0) as decimal(18, 6))
        as overtime_hours_restday
    , cast(coalesce(sum(overtime_hours) filter (where overtime_kind = 'holiday'), 0) as decimal(18, 6))
        as overtime_hours_holiday
from {{ ref('stg_attendance') }}
group by employee_id, business_date
