{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='month_start', batch_size='month',
    begin='2000-01-01', lookback=0, concurrent_batches=false) }}

{#- What an employee's days of a month add up to: the parts that measures of month, quarter and year are made of. -#}

{%- set month = batch_month() %}

-- depends_on: {{ ref('day_chats') }} {{ ref('day_calls') }} {{ ref('day_qa') }} {{ ref('day_tickets') }}
-- depends_on: {{ ref('day_attendance') }} {{ ref('day_points') }} {{ ref('day_complaints') }} {{ ref('day_orders') }}
-- depends_on: {{ ref('day_assessments') }} {{ ref('day_hr_events') }}

with days as (
    {{ day_fact_rows(month) }}
)

select
    cast('{{ month }}' as date) as month_start
    , employee_id
    {%- for name in sum_names() %}
    , cast(sum({{ name }}) as decimal(24, 6)) as {{ name }}
    {%- endfor %}
from days
group by employee_id
