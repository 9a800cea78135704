{#-
    The one list of what adds up over days: for each day model its employee column and its sums. The sums of chats
    and calls that have the same name are told apart by a prefix.
-#}
{% macro day_facts() -%}
    {{ return([
        {'model': 'day_chats', 'employee': 'agent_id', 'sums': {
            'sessions': 'sessions', 'answered_sessions': 'answered_sessions', 'resolved_sessions': 'resolved_sessions',
            'first_responses': 'first_responses', 'first_response_us': 'first_response_us', 'replies': 'replies',
            'response_us': 'response_us', 'ended_sessions': 'ended_sessions', 'chat_handle_us': 'handle_us',
            'chat_rated': 'rated', 'chat_satisfied': 'satisfied', 'chat_csat_sum': 'csat_sum'}},
        {'model': 'day_calls', 'employee': 'agent_id', 'sums': {
            'calls': 'calls', 'calls_answered': 'calls_answered', 'wait_us': 'wait_us', 'ended_calls': 'ended_calls',
            'call_handle_us': 'handle_us', 'call_rated': 'rated', 'call_satisfied': 'satisfied',
            'call_csat_sum': 'csat_sum'}},
        {'model': 'day_qa', 'employee': 'agent_id', 'sums': {
            'qa_reviews': 'qa_reviews', 'qa_interactions': 'qa_interactions', 'qa_deduction': 'qa_deduction',
            'qa_class_c': 'qa_class_c'}},
        {'model': 'day_tickets', 'employee': 'agent_id', 'sums': {
            'tickets': 'tickets', 'tickets_closed': 'tickets_closed', 'error_tickets': 'error_tickets'}},
        {'model': 'day_attendance', 'employee': 'employee_id', 'sums': {
            'scheduled_days': 'scheduled_days', 'worked_days': 'worked_days', 'paid_days': 'paid_days',
            'present_days': 'present_days', 'late_days': 'late_days', 'absent_days': 'absent_days',
            'unpaid_leave_days': 'unpaid_leave_days', 'night_shifts': 'night_shifts',
            'overtime_hours_workday': 'overtime_hours_workday', 'overtime_hours_restday': 'overtime_hours_restday',
            'overtime_hours_holiday': 'overtime_hours_holiday'}},
        {'model': 'day_points', 'employee': 'employee_id', 'sums': {
            'execution_points': 'execution_points', 'excellent_case_points': 'excellent_case_points',
            'extra_points': 'extra_points'}},
        {'model': 'day_complaints', 'employee': 'agent_id', 'sums': {
            'complaints': 'complaints', 'complaints_upheld': 'complaints_upheld', 'complaints_resolved': 'complaints_resolved'}},
        {'model': 'day_orders', 'employee': 'agent_id', 'sums': {
            'orders': 'orders', 'sales_amount': 'sales_amount', 'refund_amount': 'refund_amount', 'silent_amount': 'silent_amount'}},
        {'model': 'day_assessments', 'employee': 'employee_id', 'sums': {
            'self_scores': 'self_scores', 'self_score_sum': 'self_score_sum',
            'peer_scores': 'peer_scores', 'peer_score_sum': 'peer_score_sum',
            'manager_scores': 'manager_scores', 'manager_score_sum': 'manager_score_sum',
            'teamwork_scores': 'teamwork_scores', 'teamwork_score_sum': 'teamwork_score_sum',
            'attitude_scores': 'attitude_scores', 'attitude_score_sum': 'attitude_score_sum'}},
        {'model': 'day_hr_events', 'employee': 'employee_id', 'sums': {
            'referrals': 'referrals', 'serious_violations': 'serious_violations', 'conflicts': 'conflicts', 'trainings': 'trainings'}},
    ]) }}
{%- endmacro %}

{#- The names of all sums of day_facts. -#}
{% macro sum_names() -%}
    {%- set names = [] -%}
    {%- for facts in day_facts() -%}{%- do names.extend(facts['sums'].keys()) -%}{%- endfor -%}
    {{ return(names) }}
{%- endmacro %}

{#- All day facts of a month as rows of one shape, to be added up by employee and day or month. -#}
{% macro day_fact_rows(month) -%}
    {%- for facts in day_facts() %}
    select
        {{ facts['employee'] }} as employee_id
        , business_date
        {%- for other in day_facts() %}
        {%- for name, column in other['sums'].items() %}
        , {{ 'cast(' ~ column ~ ' as decimal(38, 6))' if other['model'] == facts['model']
            else 'cast(0 as decimal(38, 6))' }} as {{ name }}
        {%- endfor %}
        {%- endfor %}
    from {{ ref(facts['model']) }}
    where business_date between cast('{{ month }}' as date) and {{ last_day_of_month(month) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
{%- endmacro %}

{#- The measures that are a sum of day facts under their own name: what a dispute on them passes on to quarter and year. -#}
{% macro disputable_sums() -%}
    {{ return([
        'sessions', 'calls_answered', 'qa_reviews', 'qa_deduction', 'qa_class_c', 'tickets', 'error_tickets',
        'complaints', 'complaints_upheld', 'scheduled_days', 'worked_days', 'paid_days', 'late_days', 'absent_days',
        'unpaid_leave_days', 'night_shifts', 'overtime_hours_workday', 'overtime_hours_restday',
        'overtime_hours_holiday', 'execution_points', 'excellent_case_points', 'extra_points', 'sales_amount',
        'refund_amount', 'silent_amount', 'referrals']) }}
{%- endmacro %}

{#- The measures that a dispute changes in its own month only: means, shares and what the roster gives. -#}
{% macro disputable_means() -%}
    {{ return([
        'first_response_seconds', 'response_seconds', 'response_rate', 'handle_seconds', 'resolved_rate', 'csat_rate',
        'csat_mean', 'complaint_rate', 'complaint_resolution_rate', 'full_attendance', 'sales_completion', 'self_score',
        'peer_score', 'manager_score', 'teamwork_score', 'attitude_score', 'exam_score', 'tenure_months',
        'months_in_grade', 'active_days', 'calendar_days']) }}
{%- endmacro %}
