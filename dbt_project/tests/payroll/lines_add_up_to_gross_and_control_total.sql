-- The lines of a revision, its employees' gross pay and the control total that was approved are one number.
with lines as (
    select
        pay_month
        , revision
        , count(*) as row_count
        , sum(case when component_group <> 'contribution' then amount else 0 end) as total
    from {{ ref('pay_lines') }}
    group by pay_month, revision
)

, totals as (
    select pay_month, revision, sum(gross_pay) as total, sum(pay + retro - gross_pay) as difference
    from {{ ref('payroll_monthly') }}
    group by pay_month, revision
)

select runs.pay_month, runs.revision, runs.control_total, lines.total as of_lines, totals.total as of_employees
from {{ ref('payroll_runs') }} as runs
left join lines
    on runs.pay_month = lines.pay_month and runs.revision = lines.revision
left join totals
    on runs.pay_month = totals.pay_month and runs.revision = totals.revision
where
    runs.status = 'published'
    and (
        coalesce(lines.total, 0) <> runs.control_total
        or coalesce(totals.total, 0) <> runs.control_total
        or coalesce(totals.difference, 0) <> 0
        or coalesce(lines.row_count, 0) <> runs.row_count
    )
