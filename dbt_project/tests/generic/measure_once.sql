{#- A measure stands once for an employee and period. -#}
{% test measure_once(model) %}
select employee_id, period_kind, period, measure
from {{ model }}
group by employee_id, period_kind, period, measure
having count(*) > 1
{% endtest %}
