{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='month_start', batch_size='month',
    begin='2000-01-01', lookback=0, concurrent_batches=false) }}

{#- The counts and sums of a month as they stand after upheld disputes (绩效考核争议): a granted delta is added once, to its
    own measure and month, and none falls below 0 by it (extra points may be negative of themselves). One on a measure
    that the month does not have (of somebody who is not active in it, or volume without a post) is refused. Means and
    shares over rows stay with month_sums. What a dispute really changes of volume or net sales itself is kept apart,
    for both are made of other measures. -#}

{%- set month = batch_month() %}

with sums as (
    select * from {{ ref('month_sums') }}
    where month_start = cast('{{ month }}' as date)
)

, active as (
    select
        employee_id
        , post
    from {{ ref('roster_monthly') }}
    where
        month_start = cast('{{ month }}' as date)
        and hire_date <= {{ last_day_of_month(month) }}
        and (leave_date is null or leave_date >= cast('{{ month }}' as date))
)

, granted as (
    select
        active.employee_id
        , active.post
        {%- for name in disputable_sums() + ['volume', 'net_sales'] %}
        , sum(disputes.granted_delta) filter (where disputes.measure = '{{ name }}') as {{ name }}
        {%- endfor %}
    from active
    inner join {{ ref('stg_disputes') }} as disputes
        on active.employee_id = disputes.employee_id
    where disputes.status = 'upheld' and disputes.month = {{ period_text("cast('" ~ month ~ "' as date)", 'month') }}
    group by active.employee_id, active.post
)

, counted as (
    select
        cast('{{ month }}' as date) as month_start
        , coalesce(sums.employee_id, granted.employee_id) as employee_id
        , granted.post
        , coalesce(granted.volume, 0) as volume
        {%- for name in disputable_sums() %}
        , cast(greatest(
            coalesce(sums.{{ name }}, 0) + coalesce(granted.{{ name }}, 0), least(coalesce(sums.{{ name }}, 0), 0)
        ) as decimal(24, 6)) as {{ name }}
        {%- endfor %}
        , cast(coalesce(granted.net_sales, 0) as decimal(24, 6)) as net_sales_granted
    from sums
    full outer join granted
        on sums.employee_id = granted.employee_id
)

select
    month_start
    , employee_id
    {%- for name in disputable_sums() %}
    , {{ name }}
    {%- endfor %}
    , cast(case
        when post = 'voice' then greatest(volume, -calls_answered)
        when post is not null then greatest(volume, -sessions)
        else 0
    end as decimal(24, 6)) as volume_granted
    , net_sales_granted
from counted
