{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='month_start', batch_size='month',
    begin='2000-01-01', lookback=0, concurrent_batches=false) }}

{#- With December; a step may look over the year's months and quarters. -#}

{%- set month = batch_month() %}

{{ derive(
    'year', month, months_cte(ref('derived_monthly').render(), month, 'this'),
    quarters_cte(ref('derived_quarterly').render(), month)) }}
