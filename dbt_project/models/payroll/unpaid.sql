{{ config(materialized='view') }}

{#- What cannot be paid until the roster or the plan is mended: a base outside the range of the grade, a grade that a
    table has no figure for. -#}

with employees as (
    select * from {{ ref('period_wide') }}
    where period_kind = 'month'
)

, by_grade as (
    select
        plan
        , plan_version
        , figure
        , list(string_split(keys, '/')[list_position(string_split(by_attributes, '/'), 'grade')]) as grades
    from {{ source('policy', 'figures') }}
    where list_contains(string_split(by_attributes, '/'), 'grade')
    group by plan, plan_version, figure
)

, grade_missing as (
    select
        employees.period as month
        , employees.employee_id
        , employees.plan
        , employees.grade
        , steps.step as component
        , concat('figure ', by_grade.figure, ' has no entry for grade ', employees.grade) as reason
    from employees
    inner join {{ source('policy', 'steps') }} as steps
        on
            employees.plan = steps.plan
            and employees.period_end >= steps.effective_from
            and employees.period_end < steps.effective_to
            and steps.stage = 'component'
            and (
                steps.frequency = 'month'
                or (steps.frequency = 'quarter' and extract(month from employees.period_end) in (3, 6, 9, 12))
                or (steps.frequency = 'year' and extract(month from employees.period_end) = 12)
            )
    inner join by_grade
        on
            steps.plan_version = by_grade.plan_version
            and list_contains(string_split(steps.inputs, ','), by_grade.figure)
    where not list_contains(by_grade.grades, employees.grade)
)

, base_missing as (
    select
        employees.period as month
        , employees.employee_id
        , employees.plan
        , employees.grade
        , 'base' as component
        , concat(
            'the base salary in the roster is not one that the plan allows for grade ', employees.grade
        ) as reason
    from {{ ref('computed_bases') }} as bases
    inner join employees
        on bases.employee_id = employees.employee_id and bases.month_start = employees.month_start
    where bases.base_amount is null and employees.base_salary is not null
)

select
    month
    , employee_id
    , plan
    , grade
    , component
    , reason
from grade_missing
union all
select
    month
    , employee_id
    , plan
    , grade
    , component
    , reason
from base_missing
