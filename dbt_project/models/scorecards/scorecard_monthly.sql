{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='month_start', batch_size='month',
    begin='2000-01-01', lookback=0, concurrent_batches=false) }}

{#- The scorecard of an employee and month. A column for each base measure and for each derived one of any plan
    (empty where the employee's plan does not use it): a new plan brings its columns along. -#}

{%- set month = batch_month() -%}
{%- set common = ['score', 'rating', 'rank_in_post', 'meets_base_indicator'] %}
{%- set names = derived_names() | reject('in', common) | list %}

with employees as (
    select * from {{ ref('period_wide') }}
    where period_kind = 'month' and month_start = cast('{{ month }}' as date)
)

, versions as (
    select * from {{ source('policy', 'versions') }}
    where
        effective_from <= {{ last_day_of_month(month) }}
        and {{ last_day_of_month(month) }} < effective_to
)

, derived as (
    select measures.*, versions.score as score_measure, versions.rating as rating_measure
    from {{ ref('derived_measures') }} as measures
    inner join employees
        on measures.employee_id = employees.employee_id
    left join versions
        on employees.plan = versions.plan
    where measures.period_kind = 'month' and measures.month_start = cast('{{ month }}' as date)
)

, derived_wide as (
    select
        employee_id
        , max(case when measure = score_measure then value end) as score
        , max(case when measure = rating_measure then value end) as rating_level
        , max(case when measure = 'meets_base_indicator' then value end) as base_indicator
        {%- for name in names %}
        , max(case when measure = '{{ name }}' then value end) as {{ name }}
        {%- endfor %}
    from derived
    group by employee_id
)

, sampled as (
    select
        days.agent_id
        , sum(least(versions.sample_size, days.sessions + days.calls_answered)) as qa_drawn
        , sum(least(versions.sample_size, days.sessions + days.calls_answered, days.qa_reviews)) as qa_reviewed
    from {{ ref('agent_daily') }} as days
    inner join employees
        on days.agent_id = employees.employee_id
    inner join versions
        on employees.plan = versions.plan
    where
        days.business_date between cast('{{ month }}' as date) and {{ last_day_of_month(month) }}
        and versions.sample_size is not null
    group by days.agent_id
)

, scored as (
    select
        employees.*
        , versions.plan_version
        , versions.director_below
        , derived_wide.score
        , derived_wide.rating_level
        , derived_wide.base_indicator
        {%- for name in names %}
        , derived_wide.{{ name }}
        {%- endfor %}
        , levels.code as rating
        , coalesce(sampled.qa_drawn, 0) as qa_drawn
        , coalesce(sampled.qa_reviewed, 0) as qa_reviewed
    from employees
    left join versions
        on employees.plan = versions.plan
    left join derived_wide
        on employees.employee_id = derived_wide.employee_id
    left join {{ source('policy', 'levels') }} as levels
        on
            versions.plan_version = levels.plan_version
            and versions.rating = levels.measure
            and derived_wide.rating_level = levels.value
    left join sampled
        on employees.employee_id = sampled.agent_id
)

select
    cast(month_start as date) as month_start
    , period as month
    , employee_id
    , name
    , team
    , lead_id
    , post
    , grade
    , plan
    , plan_version
    {%- for name in base_measure_names() %}
    , {{ name }}
    {%- endfor %}
    {%- for name in names %}
    , cast({{ name }} as decimal(18, 6)) as {{ name }}
    {%- endfor %}
    , cast(score as decimal(18, 6)) as score
    , rating
    , case
        when score is not null and post is not null
            then rank() over (partition by plan, post, (score is null) order by score desc)
    end as rank_in_post
    , base_indicator = 1 as meets_base_indicator
    , cast(qa_drawn as bigint) as qa_drawn
    , cast(qa_reviewed as bigint) as qa_reviewed
    , cast(qa_drawn - qa_reviewed as bigint) as qa_missing
    , case when qa_drawn > 0 and qa_reviews = 0 then 'no interaction of the month was reviewed' end as warning
    , coalesce(rating_level < director_below, false) as for_director
from scored
