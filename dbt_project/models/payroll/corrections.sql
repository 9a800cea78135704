{{ config(materialized='view') }}

with published as (
    select * from {{ source('record', 'corrections') }}
)

select
    employee_id
    , pay_month
    , cast(revision as integer) as revision
    , component
    , for_month
    , cast(for_revision as integer) as for_revision
    , cause
    , cast(amount as decimal(18, 2)) as amount
    , changed
from published
