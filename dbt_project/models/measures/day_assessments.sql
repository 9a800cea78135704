{{ config(materialized='incremental', incremental_strategy='append', tags=['day'],
    pre_hook="{{ clear_stale_dates(['assessments']) }}") }}

{#- The assessments of an employee on a day; of two exams on one day the higher counts. -#}

select
    employee_id
    , business_date
    , count(*) filter (where kind = 'self') as self_scores
    , cast(coalesce(sum(score) filter (where kind = 'self'), 0) as decimal(18, 6)) as self_score_sum
    , count(*) filter (where kind = 'peer') as peer_scores
    , cast(coalesce(sum(score) filter (where kind = 'peer'), 0) as decimal(18, 6)) as peer_score_sum
    , count(*) filter (where kind = 'manager') as manager_scores
    , cast(coalesce(sum(score) filter (where kind = 'manager'), 0) as decimal(18, 6)) as manager_score_sum
    , count(*) filter (where kind = 'teamwork') as teamwork_scores
    , cast(coalesce(sum(score) filter (where kind = 'teamwork'), 0) as decimal(18, 6)) as teamwork_score_sum
    , count(*) filter (where kind = 'attitude') as attitude_scores
    , cast(coalesce(sum(score) filter (where kind = 'attitude'), 0) as decimal(18, 6)) as attitude_score_sum
    , max(score) filter (where kind = 'exam') as exam_score
from {{ ref('stg_assessments') }}
group by employee_id, business_date
