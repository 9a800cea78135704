-- Each retro line is the sum of what it corrects, and nothing is corrected without a line.
with lines as (
    select pay_month, revision, employee_id, component, amount
    from {{ ref('pay_lines') }}
    where component like 'retro!_%' escape '!'
)

, details as (
    select pay_month, revision, employee_id, component, sum(amount) as amount
    from {{ source('record', 'retro_details') }}
    group by pay_month, revision, employee_id, component
)

select
    coalesce(lines.pay_month, details.pay_month) as pay_month
    , coalesce(lines.employee_id, details.employee_id) as employee_id
    , coalesce(lines.component, details.component) as component
    , lines.amount as line_amount
    , details.amount as detail_amount
from lines
full join details
    on
        lines.pay_month = details.pay_month
        and lines.revision = details.revision
        and lines.employee_id = details.employee_id
        and lines.component = details.component
where lines.amount is null or details.amount is null or lines.amount <> details.amount
