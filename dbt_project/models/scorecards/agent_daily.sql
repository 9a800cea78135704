{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='business_date', batch_size='month',
    begin='2000-01-01', lookback=0, concurrent_batches=false) }}

{#- What an agent did on a day. Shares and means come with the counts they are made of, so that a reader can add days
    up rightly. The first response is that of the agent's post in the month's roster: calls for voice, else chats. -#}

{%- set month = batch_month() %}

-- depends_on: {{ ref('day_chats') }} {{ ref('day_calls') }} {{ ref('day_qa') }} {{ ref('day_tickets') }}
-- depends_on: {{ ref('day_attendance') }} {{ ref('day_points') }} {{ ref('day_complaints') }} {{ ref('day_orders') }}
-- depends_on: {{ ref('day_assessments') }} {{ ref('day_hr_events') }}

with days as (
    {{ day_fact_rows(month) }}
)

, added as (
    select
        employee_id
        , business_date
        {%- for name in sum_names() %}
        , sum({{ name }}) as {{ name }}
        {%- endfor %}
    from days
    group by employee_id, business_date
)

, posted as (
    select
        added.*
        , roster.post
        , case when roster.post = 'voice' then added.wait_us else added.first_response_us end as wait_sum_us
        , case when roster.post = 'voice' then added.calls_answered else added.first_responses end as waits
    from added
    left join {{ ref('roster_monthly') }} as roster
        on added.employee_id = roster.employee_id and roster.month_start = cast('{{ month }}' as date)
)

select
    employee_id as agent_id
    , cast(business_date as date) as business_date
    , cast(sessions as bigint) as sessions
    , cast(calls as bigint) as calls
    , cast(calls_answered as bigint) as calls_answered
    , {{ ratio_6('wait_sum_us', 'waits') }} as first_response_seconds
    , {{ ratio_6('response_us', 'replies') }} as response_seconds
    , {{ ratio_6(millionths('(chat_satisfied + call_satisfied)'), 'chat_rated + call_rated') }} as csat_rate
    , cast(qa_deduction as decimal(18, 6)) as qa_deduction
    , cast(tickets as bigint) as tickets
    , cast(tickets_closed as bigint) as tickets_closed
    , cast(error_tickets as bigint) as error_tickets
    , cast(waits as bigint) as first_responses
    , cast(wait_sum_us * 0.000001 as decimal(18, 6)) as first_response_seconds_sum
    , cast(replies as bigint) as replies
    , cast(response_us * 0.000001 as decimal(18, 6)) as response_seconds_sum
    , cast(resolved_sessions as bigint) as resolved_sessions
    , cast(chat_rated + call_rated as bigint) as rated
    , cast(chat_satisfied + call_satisfied as bigint) as satisfied
    , cast(chat_csat_sum + call_csat_sum as bigint) as csat_sum
    , cast(qa_reviews as bigint) as qa_reviews
    , cast(qa_interactions as bigint) as qa_interactions
from posted
where sessions + calls + qa_reviews + tickets > 0
