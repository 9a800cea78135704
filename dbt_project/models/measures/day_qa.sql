{{ config(materialized='incremental', incremental_strategy='append', tags=['day'],
    pre_hook="{{ clear_stale_dates(['qa_reviews']) }}") }}

{#- The QA reviews of an agent's interactions of a day; a review counts once, its items add up. -#}

select
    agent_id
    , business_date
    , count(distinct review_id) as qa_reviews
    , count(distinct interaction_id) as qa_interactions
    , cast(sum(points) as decimal(18, 6)) as qa_deduction
    , count(*) filter (where item_no > 0 and severity = 'C') as qa_class_c
from {{ ref('stg_qa_reviews') }}
group by agent_id, business_date
