{{ config(materialized='view') }}

{#- A view: what was approved is visible as soon as the record is loaded, without another build. -#}

with published as (
    select * from {{ source('record', 'pay_lines') }}
)

select
    employee_id
    , pay_month
    , cast(revision as integer) as revision
    , component
    , component_group
    , cast(quantity as decimal(18, 6)) as quantity
    , cast(rate as decimal(18, 6)) as rate
    , cast(base_amount as decimal(18, 6)) as base_amount
    , cast(amount as decimal(18, 2)) as amount
    , policy_version
    , explanation
from published
