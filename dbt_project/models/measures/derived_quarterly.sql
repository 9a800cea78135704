{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='month_start', batch_size='month',
    begin='2000-01-01', lookback=0, concurrent_batches=false) }}

{#- With the quarter's last month; a step may look over the months up to it. -#}

{%- set month = batch_month() %}

{{ derive(
    'quarter', month, months_cte(ref('derived_monthly').render(), month, 'this'), quarters_cte(none, month)) }}
