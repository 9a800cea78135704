{{ config(materialized='view') }}

with lines as (
    select * from {{ ref('pay_lines') }}
)

, totals as (
    select
        employee_id
        , pay_month
        , revision
        , sum(case when component_group <> 'contribution' then amount else 0 end) as gross_pay
        , sum(case when component_group = 'pay' then amount else 0 end) as pay
        , sum(case when component_group = 'contribution' then amount else 0 end) as contribution
        , sum(case when component_group = 'retro' then amount else 0 end) as retro
    from lines
    group by employee_id, pay_month, revision
)

select
    employee_id
    , pay_month
    , revision
    , cast(gross_pay as decimal(18, 2)) as gross_pay
    , cast(pay as decimal(18, 2)) as pay
    , cast(contribution as decimal(18, 2)) as contribution
    , cast(retro as decimal(18, 2)) as retro
from totals
