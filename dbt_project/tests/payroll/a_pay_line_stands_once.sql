select pay_month, revision, employee_id, component, count(*) as times
from {{ ref('pay_lines') }}
group by pay_month, revision, employee_id, component
having count(*) > 1
