{{ config(materialized='incremental', incremental_strategy='append', tags=['day'],
    pre_hook="{{ clear_stale_dates(['hr_events']) }}") }}

{#- The HR events of an employee on a day. -#}

select
    employee_id
    , business_date
    , count(*) filter (where kind = 'referral_hired') as referrals
    , count(*) filter (where kind = 'serious_violation') as serious_violations
    , count(*) filter (where kind = 'conflict') as conflicts
    , count(*) filter (where kind = 'training_completed') as trainings
    , count(*) filter (where kind = 'honor') as honors
from {{ ref('stg_hr_events') }}
group by employee_id, business_date
