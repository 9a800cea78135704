{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='month_start', batch_size='month',
    begin='2000-01-01', lookback=0, concurrent_batches=false) }}

{#- An employee's promotion case of a quarter (晋升流程): the newest that was not withdrawn. The public notice (公示) is
    counted in working days from the day after announced_on up to the delivery that tells of it, at the earliest up to
    the quarter's last day. -#}

{%- set month = batch_month() %}
{%- set quarter_ends = month[5:7] in ('03', '06', '09', '12') %}

with cases as (
    select
        *
        , row_number() over (partition by employee_id order by applied_on desc, case_id desc) as place
    from {{ ref('stg_promotion_cases') }}
    where
        quarter = {{ period_text("cast('" ~ month ~ "' as date)", 'quarter') }}
        and withdrawn_on is null
        and {{ 'true' if quarter_ends else 'false' }}
)

, told as (
    select greatest(max(business_date), {{ last_day_of_month(month) }}) as told_on
    from {{ source('control', 'newest') }}
    where dataset = 'promotion_cases'
)

select
    cast('{{ month }}' as date) as month_start
    , cases.employee_id
    , cases.case_id
    , cases.announced_on
    , cast(announced.number as integer) as announced_number
    , cast(case cases.supervisor_opinion when 'support' then 1 when 'oppose' then 0 end as decimal(18, 6))
        as supervisor_support
    , cast(cases.panel_score as decimal(18, 6)) as panel_score
    , cast(case cases.panel_decision when 'approve' then 1 when 'reject' then 0 end as decimal(18, 6))
        as panel_approval
    , cast(case
        when announced.number is not null
            then greatest(least(reached.number - announced.number, {{ notice_days_counted() }}), 0)
    end as decimal(18, 6)) as notice_days
    , cast(case
        when cases.announced_on is null then null
        when cases.objection in ('open', 'upheld') then 1
        else 0
    end as decimal(18, 6)) as objection_standing
    , cast(case cases.hr_decision when 'approve' then 1 when 'reject' then 0 end as decimal(18, 6)) as hr_approval
from cases
cross join told
left join {{ source('control', 'working_days') }} as announced
    on cases.announced_on = announced.day
left join {{ source('control', 'working_days') }} as reached
    on told.told_on = reached.day
where cases.place = 1
