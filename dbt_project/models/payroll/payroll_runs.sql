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
    , code_digest
    , figures_digest
    , cast(employees as bigint) as employees
    , cast(row_count as bigint) as row_count
    , cast(control_total as decimal(18, 2)) as control_total
    , prepared_by
    , prepared_at
    , approved_by
    , approved_at
    , published_at
    , refused_by
    , refused_at
    , refused_because
from published
