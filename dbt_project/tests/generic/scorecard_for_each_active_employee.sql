{#- Exactly the employees active in a rebuilt month have a scorecard, once each. -#}
{% test scorecard_for_each_active_employee(model) %}
with cards as (
    select month_start, employee_id, count(*) as cards
    from {{ model }}
    group by month_start, employee_id
)

, active as (
    select month_start, employee_id
    from {{ ref('period_wide') }}
    where period_kind = 'month' and {{ in_stale_months() }}
)

select coalesce(active.employee_id, cards.employee_id) as employee_id
from active
full outer join cards
    on active.month_start = cards.month_start and active.employee_id = cards.employee_id
where active.employee_id is null or cards.employee_id is null or cards.cards <> 1
{% endtest %}
