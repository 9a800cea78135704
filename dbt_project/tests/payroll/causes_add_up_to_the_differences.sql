-- The causes of a revision's differences to the one before it, and those of a retro line, add up to the cent.
with differences as (
    select
        coalesce(later.pay_month, earlier.pay_month) as pay_month
        , coalesce(later.revision, earlier.revision + 1) as revision
        , coalesce(later.employee_id, earlier.employee_id) as employee_id
        , coalesce(later.component, earlier.component) as component
        , coalesce(later.amount, 0) - coalesce(earlier.amount, 0) as amount
    from (
        select * from {{ ref('pay_lines') }}
        where revision > 1 and component not like 'retro!_%' escape '!'
    ) as later
    full join (
        select lines.*
        from {{ ref('pay_lines') }} as lines
        inner join {{ ref('payroll_runs') }} as runs
            on
                lines.pay_month = runs.pay_month
                and lines.revision + 1 = runs.revision
                and runs.status = 'published'
        where lines.component not like 'retro!_%' escape '!'
    ) as earlier
        on
            later.pay_month = earlier.pay_month
            and later.revision = earlier.revision + 1
            and later.employee_id = earlier.employee_id
            and later.component = earlier.component
    union all
    select pay_month, revision, employee_id, component, amount
    from {{ ref('pay_lines') }}
    where component like 'retro!_%' escape '!'
)

, causes as (
    select pay_month, revision, employee_id, component, sum(amount) as amount
    from {{ ref('corrections') }}
    group by pay_month, revision, employee_id, component
)

select
    coalesce(differences.pay_month, causes.pay_month) as pay_month
    , coalesce(differences.employee_id, causes.employee_id) as employee_id
    , coalesce(differences.component, causes.component) as component
    , differences.amount as difference
    , causes.amount as of_causes
from differences
full join causes
    on
        differences.pay_month = causes.pay_month
        and differences.revision = causes.revision
        and differences.employee_id = causes.employee_id
        and differences.component = causes.component
where coalesce(differences.amount, 0) <> coalesce(causes.amount, 0)
