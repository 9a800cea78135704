{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='month_start', batch_size='month',
    begin='2000-01-01', lookback=0, concurrent_batches=false) }}

{#- The long table of measures: those of the contract and the plans' derived ones, for month, quarter and year. -#}

-- depends_on: {{ ref('period_wide') }}

{%- set month = batch_month() -%}
{%- set names = base_measure_names() %}

{%- if names %}
with base as (
    {{ unpivoted(
        'select employee_id, period_kind, period, month_start, ' ~ names | join(', ')
        ~ ' from ' ~ ref('period_wide') ~ " where month_start = cast('" ~ month ~ "' as date)", names) }}
)
{%- else %}
with base as (
    select employee_id, period_kind, period, month_start, measure, value
    from {{ ref('derived_measures') }}
    where false
)
{%- endif %}

, derived as (
    select
        employee_id
        , period_kind
        , period
        , month_start
        , measure
        , value
    from {{ ref('derived_measures') }}
    where month_start = cast('{{ month }}' as date)
)

, together as (
    select employee_id, period_kind, period, month_start, measure, value from base
    union all
    select employee_id, period_kind, period, month_start, measure, value from derived
)

select
    employee_id
    , period_kind
    , period
    , cast(month_start as date) as month_start
    , measure
    , cast(value as decimal(18, 6)) as value
from together
