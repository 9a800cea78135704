{{ config(materialized='view') }}

with published as (
    select * from {{ source('record', 'payroll_runs') }}
)

select
    pay_month
    , cast(revision as integer) as revision
    , status
    , input_digest
    , policy_digest
    , figures_digest
    , cast(employees as bigint) as employees
    , cast(row_count as bigint) as row_count
    , cast(control_total as decimal(18, 2)) as control_total
    , prepared_by
    , approved_by
    , approved_at
from published
