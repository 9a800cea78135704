{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='month_start', batch_size='month',
    begin='2000-01-01', lookback=0, concurrent_batches=false) }}

{#- The counts and sums of a month as they stand after upheld disputes (绩效考核争议): a granted delta is added once, to its
    own measure and month, and none falls below 0 by it (extra points may be negative of themselves). Means and
    shares over rows stay with month_sums. What a dispute grants on volume or net sales itself is kept apart, for both
    are made of other measures. -#}

{%- set month = batch_month() %}

with sums as (
    select * from {{ ref('month_sums') }}
    where month_start = cast('{{ month }}' as date)
)

, granted as (
    select
        employee_id
        {%- for name in disputable_sums() + ['volume', 'net_sales'] %}
        , sum(granted_delta) filter (where measure = '{{ name }}') as {{ name }}
        {%- endfor %}
    from {{ ref('stg_disputes') }}
    where status = 'upheld' and month = {{ period_text("cast('" ~ month ~ "' as date)", 'month') }}
    group by employee_id
)

select
    cast('{{ month }}' as date) as month_start
    , coalesce(sums.employee_id, granted.employee_id) as employee_id
    {%- for name in disputable_sums() %}
    , cast(greatest(
        coalesce(sums.{{ name }}, 0) + coalesce(granted.{{ name }}, 0), least(coalesce(sums.{{ name }}, 0), 0)
    ) as decimal(24, 6)) as {{ name }}
    {%- endfor %}
    , cast(coalesce(granted.volume, 0) as decimal(24, 6)) as volume_granted
    , cast(coalesce(granted.net_sales, 0) as decimal(24, 6)) as net_sales_granted
from sums
full outer join granted
    on sums.employee_id = granted.employee_id
