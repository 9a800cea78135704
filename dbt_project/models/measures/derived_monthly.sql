{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='month_start', batch_size='month',
    begin='2000-01-01', lookback=0, concurrent_batches=false) }}

{#- A month after the other: a step may read what an earlier month stored. -#}

{%- set month = batch_month() %}

{{ derive(
    'month', month, months_cte(this if is_incremental() else none, month, 'before'), quarters_cte(none, month)) }}
