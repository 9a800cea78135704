{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='month_start', batch_size='month',
    begin='2000-01-01', lookback=0, concurrent_batches=false) }}

{#- The measures of the contract (section 3), a column each, for exactly the employees active in the period. A month,
    and with its last month a quarter and a year. Counts and sums of nothing are 0, means and shares of nothing are
    absent. Attributes are those of the roster in force at the period's last day. -#}

{%- set month = batch_month() %}
{%- set case_measures = ['supervisor_support', 'panel_score', 'panel_approval', 'notice_days', 'objection_standing',
    'hr_approval'] %}

with periods as (
    select
        'month' as period_kind
        , {{ period_text("cast('" ~ month ~ "' as date)", 'month') }} as period
        , cast('{{ month }}' as date) as period_start
    {%- if month[5:7] in ('03', '06', '09', '12') %}
    union all
    select
        'quarter' as period_kind
        , {{ period_text("cast('" ~ month ~ "' as date)", 'quarter') }}
        , cast({{ first_month_of_quarter(month) }} as date) as period_start
    {%- endif %}
    {%- if month[5:7] == '12' %}
    union all
    select
        'year' as period_kind
        , {{ period_text("cast('" ~ month ~ "' as date)", 'year') }}
        , cast('{{ month[:4] }}-01-01' as date) as period_start
    {%- endif %}
)

, active as (
    select
        periods.period_kind
        , periods.period
        , periods.period_start
        , {{ last_day_of_month(month) }} as period_end
        , roster.*
    from {{ ref('roster_monthly') }} as roster
    cross join periods
    where
        roster.month_start = cast('{{ month }}' as date)
        and roster.hire_date <= {{ last_day_of_month(month) }}
        and (roster.leave_date is null or roster.leave_date >= periods.period_start)
)

, sums as (
    select
        active.employee_id
        , active.period_kind
        {%- for name in sum_names() %}
        , coalesce(sum(months.{{ name }}), 0) as {{ name }}
        {%- endfor %}
    from active
    left join {{ ref('month_sums').render() }} as months  -- rendered: a quarter looks back over its months
        on
            active.employee_id = months.employee_id
            and months.month_start between active.period_start and cast('{{ month }}' as date)
    group by active.employee_id, active.period_kind
)

, counts as (
    select
        active.employee_id
        , active.period_kind
        {%- for name in disputable_sums() + ['volume_granted', 'net_sales_granted'] %}
        , coalesce(sum(months.{{ name }}), 0) as {{ name }}
        {%- endfor %}
        -- A quarter's or year's deduction is the mean over the months in which the employee was active, of those
        -- that have records: months before the first delivery say nothing.
        , coalesce(sum(months.qa_deduction) filter (
            where {{ last_day_of_month_of('months.month_start') }} >= active.hire_date
            and (active.leave_date is null or months.month_start <= active.leave_date)
        ), 0) as qa_deduction_when_active
    from active
    left join {{ ref('month_counts').render() }} as months
        on
            active.employee_id = months.employee_id
            and months.month_start between active.period_start and cast('{{ month }}' as date)
    group by active.employee_id, active.period_kind
)

, targets as (
    select
        active.employee_id
        , active.period_kind
        , sum(targets.target) as net_sales_target
    from active
    inner join {{ ref('stg_targets') }} as targets
        on
            active.employee_id = targets.employee_id
            and targets.measure = 'net_sales'
            and targets.month between {{ period_text('active.period_start', 'month') }}
            and {{ period_text('active.period_end', 'month') }}
    group by active.employee_id, active.period_kind
)

-- The newest exam of the 12 months up to the period's last day, and the trainings of these months.
, exams as (
    select
        employee_id
        , max_by(exam_score, business_date) as exam_score
    from {{ ref('day_assessments') }}
    where exam_score is not null and {{ in_last_12_months('business_date', month) }}
    group by employee_id
)

, trainings as (
    select
        employee_id
        , sum(trainings) as trainings_12_months
    from {{ ref('day_hr_events') }}
    where {{ in_last_12_months('business_date', month) }}
    group by employee_id
)

, posts as (
    select
        active.employee_id
        , count(*) as months_in_post
    from active
    inner join {{ ref('roster_monthly').render() }} as months
        on
            active.employee_id = months.employee_id
            and active.post = months.post
            and months.month_start <= cast('{{ month }}' as date)
            and {{ last_day_of_month_of('months.month_start') }} >= active.hire_date
    where
        active.period_kind = 'month'
        and months.month_start > coalesce((
            select max(other.month_start)
            from {{ ref('roster_monthly').render() }} as other
            where
                other.employee_id = active.employee_id
                and other.month_start <= cast('{{ month }}' as date)
                and other.post is distinct from active.post
        ), cast('1900-01-01' as date))
    group by active.employee_id
)

-- What disputes grant on means and shares of the month itself.
, granted as (
    select
        employee_id
        {%- for name in disputable_means() %}
        , coalesce(sum(granted_delta) filter (where measure = '{{ name }}'), 0) as {{ name }}
        {%- endfor %}
    from {{ ref('stg_disputes') }}
    where status = 'upheld' and month = {{ period_text("cast('" ~ month ~ "' as date)", 'month') }}
    group by employee_id
)

, counted as (
    select
        active.*
        {%- for name in sum_names() if name not in disputable_sums() %}
        , sums.{{ name }}
        {%- endfor %}
        , sums.sessions as sessions_in_rows
        , sums.calls_answered as calls_answered_in_rows
        , sums.complaints as complaints_in_rows
        {%- for name in disputable_sums() %}
        , counts.{{ name }}
        {%- endfor %}
        , counts.qa_deduction_when_active
        , counts.sales_amount - counts.refund_amount - counts.silent_amount + counts.net_sales_granted as net_sales
        , targets.net_sales_target
        , exams.exam_score
        , coalesce(posts.months_in_post, 0) as months_in_post
        , case
            when active.period_kind = 'quarter' then case when cases.employee_id is null then 0 else 1 end
        end as applied
        {%- for name in case_measures %}
        , case when active.period_kind = 'quarter' then cases.{{ name }} end as {{ name }}
        {%- endfor %}
        , coalesce(trainings.trainings_12_months, 0) as trainings_12_months
        , {{ days_between('active.period_start', 'active.period_end') }} + 1 as calendar_days
        , {{ days_between('greatest(active.hire_date, active.period_start)',
            'least(coalesce(active.leave_date, active.period_end), active.period_end)') }} + 1 as active_days
        , 1 + {{ month_number('least(coalesce(active.leave_date, active.period_end), active.period_end)') }}
        - {{ month_number('greatest(active.hire_date, active.period_start)') }} as active_months
        , 1 + {{ month_number('least(coalesce(active.leave_date, active.period_end), active.period_end)') }}
        - {{ month_number('greatest(active.hire_date, active.period_start, records.first_month)') }}
            as recorded_months
        , 1 + {{ month_number('active.period_end') }} - {{ month_number('active.period_start') }} as calendar_months
        , {{ whole_months('active.hire_date', next_day('active.period_end')) }} as tenure_months
        , {{ whole_months('active.grade_since', next_day('active.period_end')) }} as months_in_grade
        , case
            when active.post = 'voice' then greatest(counts.calls_answered + counts.volume_granted, 0)
            when active.post is not null then greatest(counts.sessions + counts.volume_granted, 0)
        end as volume
    from active
    inner join sums
        on active.employee_id = sums.employee_id and active.period_kind = sums.period_kind
    inner join counts
        on active.employee_id = counts.employee_id and active.period_kind = counts.period_kind
    left join targets
        on active.employee_id = targets.employee_id and active.period_kind = targets.period_kind
    left join exams
        on active.employee_id = exams.employee_id
    left join trainings
        on active.employee_id = trainings.employee_id
    left join posts
        on active.employee_id = posts.employee_id
    left join {{ ref('quarter_cases') }} as cases
        on active.employee_id = cases.employee_id and cases.month_start = cast('{{ month }}' as date)
    cross join (select min(month_start) as first_month from {{ source('control', 'months') }}) as records
)

, post_means as (
    select
        period_kind
        , post
        , {{ ratio_6(millionths('sum(volume)'), 'count(*)') }} as volume_post_mean
    from counted
    where post is not null and scheduled_days > 0
    group by period_kind, post
)

, measured as (
    select
        counted.employee_id
        , counted.period_kind
        , counted.period
        , counted.month_start
        , counted.period_start
        , counted.period_end
        , counted.name
        , counted.post
        , counted.grade
        , counted.grade_since
        , counted.team
        , counted.lead_id
        , counted.employment
        , counted.education
        , counted.city
        , counted.plan
        , counted.base_salary
        , counted.grade_decided
        , counted.hire_date
        , counted.leave_date
        , case when counted.active_months = counted.calendar_months then 1 else 0 end as active_all_months
        , case when counted.leave_date is null or counted.leave_date >= counted.period_end then 1 else 0 end
            as active_last_day
        , cast(counted.sessions as decimal(18, 6)) as sessions
        , cast(counted.calls_answered as decimal(18, 6)) as calls_answered
        , cast(counted.volume as decimal(18, 6)) as volume
        , post_means.volume_post_mean
        , case
            when counted.post = 'voice' then {{ ratio_6('counted.wait_us', 'counted.calls_answered_in_rows') }}
            else {{ ratio_6('counted.first_response_us', 'counted.first_responses') }}
        end as first_response_seconds
        , {{ ratio_6('counted.response_us', 'counted.replies') }} as response_seconds
        , {{ ratio_6(millionths('counted.answered_sessions'), 'counted.sessions_in_rows') }} as response_rate
        , {{ ratio_6('counted.chat_handle_us + counted.call_handle_us',
            'counted.ended_sessions + counted.ended_calls') }} as handle_seconds
        , {{ ratio_6(millionths('counted.resolved_sessions'), 'counted.sessions_in_rows') }} as resolved_rate
        , {{ ratio_6(millionths('(counted.chat_satisfied + counted.call_satisfied)'),
            'counted.chat_rated + counted.call_rated') }} as csat_rate
        , {{ ratio_6(millionths('(counted.chat_csat_sum + counted.call_csat_sum)'),
            'counted.chat_rated + counted.call_rated') }} as csat_mean
        , cast(counted.chat_rated + counted.call_rated as decimal(18, 6)) as ratings
        , cast(counted.qa_reviews as decimal(18, 6)) as qa_reviews
        , case
            when counted.period_kind = 'month' then cast(counted.qa_deduction as decimal(18, 6))
            else {{ ratio_6(millionths('counted.qa_deduction_when_active'), 'counted.recorded_months') }}
        end as qa_deduction
        , cast(counted.qa_class_c as decimal(18, 6)) as qa_class_c
        , {{ ratio_6(millionths('counted.complaints_upheld') ~ ' * 1000000', millionths('counted.volume')) }}
            as complaint_rate
        , {{ ratio_6(millionths('counted.complaints_resolved'), 'counted.complaints_in_rows') }}
            as complaint_resolution_rate
        , cast(counted.net_sales as decimal(18, 6)) as net_sales
        , {{ ratio_6(millionths('counted.net_sales') ~ ' * 1000000', millionths('counted.net_sales_target')) }}
            as sales_completion
        {%- for kind in ['self', 'peer', 'manager', 'teamwork', 'attitude'] %}
        , {{ ratio_6(millionths('counted.' ~ kind ~ '_score_sum'), 'counted.' ~ kind ~ '_scores') }} as {{ kind }}_score
        {%- endfor %}
        {%- for name in ['tickets', 'error_tickets', 'complaints', 'complaints_upheld', 'orders', 'sales_amount',
            'refund_amount', 'silent_amount', 'referrals', 'serious_violations', 'conflicts', 'trainings_12_months',
            'exam_score', 'scheduled_days', 'worked_days', 'paid_days', 'late_days',
            'absent_days', 'unpaid_leave_days', 'night_shifts', 'overtime_hours_workday', 'overtime_hours_restday',
            'overtime_hours_holiday'] %}
        , cast(counted.{{ name }} as decimal(18, 6)) as {{ name }}
        {%- endfor %}
        , cast(
            case when counted.scheduled_days > 0 and counted.present_days = counted.scheduled_days then 1 else 0 end
            as decimal(18, 6)
        ) as full_attendance
        {%- for name in ['execution_points', 'excellent_case_points', 'extra_points', 'tenure_months',
            'months_in_grade', 'months_in_post', 'active_days', 'calendar_days', 'applied'] + case_measures %}
        , cast(counted.{{ name }} as decimal(18, 6)) as {{ name }}
        {%- endfor %}
    from counted
    left join post_means
        on counted.period_kind = post_means.period_kind and counted.post = post_means.post
)

-- The last full year: in December the one that ends, else the one before.
, last_year as (
    {%- if month[5:7] == '12' %}
    select employee_id, sales_completion from measured
    where period_kind = 'year'
    {%- elif is_incremental() %}
    select employee_id, sales_completion from {{ this }}
    where period_kind = 'year' and period = '{{ month[:4] | int - 1 }}'
    {%- else %}
    select employee_id, sales_completion from measured
    where false
    {%- endif %}
)

select
    measured.* exclude ({{ disputable_means() | join(', ') }})
    {%- for name in disputable_means() %}
    , cast(
        measured.{{ name }} + case when measured.period_kind = 'month' then coalesce(granted.{{ name }}, 0) else 0 end
        as decimal(18, 6)
    ) as {{ name }}
    {%- endfor %}
    , last_year.sales_completion as last_year_completion
from measured
left join granted
    on measured.employee_id = granted.employee_id
left join last_year
    on measured.employee_id = last_year.employee_id
