{#- Months up to a month with their base and derived measures: the CTE `months` that a look over months reads.
    `derived` is the relation with the stored derived measures (none on the first build), `stored` the newest month
    whose derived ones are taken from there: `this`, or the month `before` while this month's are just being reckoned.
    Rendered references, for dbt would cut a plain one down to the batch's own month. -#}
{% macro months_cte(derived, month, stored) -%}
{%- set names = derived_names() -%}
months as (
    select
        wide.*
        , {{ month_number('wide.month_start') }} as month_no
        {%- for name in names %}
        , {{ 'stored.' ~ name if derived else 'cast(null as decimal(18, 6)) as ' ~ name }}
        {%- endfor %}
    from {{ ref('period_wide').render() }} as wide
    {%- if derived %}
    left join (
        select
            employee_id
            , month_start
            {{- derived_columns(names) }}
        from {{ derived }}
        {%- if stored == 'before' %}
        where month_start < cast('{{ month }}' as date)
        {%- endif %}
        group by employee_id, month_start
    ) as stored
        on wide.employee_id = stored.employee_id and wide.month_start = stored.month_start
    {%- endif %}
    where
        wide.period_kind = 'month'
        and {{ month_number('wide.month_start') }}
            between {{ month_number("cast('" ~ month ~ "' as date)") }} - 23
            and {{ month_number("cast('" ~ month ~ "' as date)") }}
)
{%- endmacro %}

{#- Who reports to whom in a month, directly or through others: the CTE `reports`, and the rows of `months` of those who
    do beside whom they report to: `report_months`. A join made once here, for inside each formula it was planned as
    everybody by everybody. Needs `with recursive`. -#}
{% macro reports_cte(month) -%}
reports as (
    select lead_id, employee_id, {{ month_number('month_start') }} as month_no
    from {{ ref('roster_monthly') }}
    where month_start = cast('{{ month }}' as date) and lead_id is not null
    union
    select above.lead_id, below.employee_id, below.month_no
    from reports as below
    inner join {{ ref('roster_monthly') }} as above
        on below.lead_id = above.employee_id and above.month_start = cast('{{ month }}' as date)
    where above.lead_id is not null
)

, report_months as (
    select
        reports.lead_id as lead_id_above
        , months.*
    from reports
    inner join months
        on reports.employee_id = months.employee_id and reports.month_no = months.month_no
    where reports.lead_id <> reports.employee_id
)
{%- endmacro %}

{#- The rows of a period kind whose last month is the given one, with the measures of quarter and year that steps read
    beside a month's (`quarter__…`, `year__…`). `derived` tells which stored derived measures to add (month, quarter,
    year). -#}
{% macro period_rows(month, kind='month', derived=[], steps=[]) -%}
    {%- set longer_kinds = ['quarter', 'year'] if kind == 'month' else [] -%}
    {%- set base = base_measure_names() if longer_kinds else [] -%}
    {%- set names = {} -%}
    {%- for each in derived -%}{%- do names.update({each: derived_names(each)}) -%}{%- endfor -%}
    {%- set read = text_of_steps(steps) -%}
    select
        wide.*
        , {{ month_number('wide.month_start') }} as month_no
        {%- if kind in derived %}
        {%- for name in names[kind] %}
        , derived_{{ kind }}.{{ name }}
        {%- endfor %}
        {%- endif %}
        {%- for longer in longer_kinds %}
        {%- for name in base if 'cur.' ~ longer ~ '__' ~ name in read %}
        , {{ longer }}_wide.{{ name }} as {{ longer }}__{{ name }}
        {%- endfor %}
        {%- if longer in derived %}
        {%- for name in names[longer] if 'cur.' ~ longer ~ '__' ~ name in read %}
        , derived_{{ longer }}.{{ name }} as {{ longer }}__{{ name }}
        {%- endfor %}
        {%- endif %}
        {%- endfor %}
    from {{ ref('period_wide') }} as wide
    {%- for longer in longer_kinds %}
    left join {{ ref('period_wide') }} as {{ longer }}_wide
        on
            wide.employee_id = {{ longer }}_wide.employee_id
            and wide.month_start = {{ longer }}_wide.month_start
            and {{ longer }}_wide.period_kind = '{{ longer }}'
    {%- endfor %}
    {%- for each in derived %}
    left join (
        select
            employee_id
            {{- derived_columns(names[each]) }}
        from {{ ref('derived_measures') }}
        where period_kind = '{{ each }}' and month_start = cast('{{ month }}' as date)
        group by employee_id
    ) as derived_{{ each }}
        on wide.employee_id = derived_{{ each }}.employee_id
    {%- endfor %}
    where wide.period_kind = '{{ kind }}' and wide.month_start = cast('{{ month }}' as date)
{%- endmacro %}

{#- All SQL of steps as one text, to look for columns in. The planner looks at each column of each CTE: a wide row of
    which a handful is read costs more than the whole reckoning. -#}
{% macro text_of_steps(steps) -%}
    {%- set texts = [] -%}
    {%- for step in steps -%}
        {%- for name in ('value_sql', 'explanation_sql', 'base_sql', 'rate_sql', 'quantity_sql', 'parts') -%}
            {%- do texts.append(step[name] or '') -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(texts | join(' ')) }}
{%- endmacro %}

{#- The stored derived measures of quarters up to a month: the CTE `quarters` that a look over quarters reads. -#}
{% macro quarters_cte(derived, month) -%}
{%- set names = derived_names('quarter') -%}
quarters as (
    {%- if derived and names %}
    select
        wide.employee_id
        , wide.plan
        , {{ month_number('wide.month_start') }} as month_no
        {{- derived_columns(names) }}
    from {{ derived }} as stored
    inner join {{ ref('period_wide').render() }} as wide
        on
            stored.employee_id = wide.employee_id
            and stored.month_start = wide.month_start
            and stored.period_kind = wide.period_kind
    where wide.period_kind = 'quarter' and wide.month_start <= cast('{{ month }}' as date)
    group by wide.employee_id, wide.plan, wide.month_start
    {%- else %}
    select
        cast(null as varchar) as employee_id
        , cast(null as varchar) as plan
        , 0 as month_no
        {%- for name in names %}
        , cast(null as decimal(18, 6)) as {{ name }}
        {%- endfor %}
    where false
    {%- endif %}
)
{%- endmacro %}

{#- The rows that steps of pay are reckoned on: everyone's month with what they read of quarter and year beside it, and
    the gross pay last published for the month before: the CTE `everyone`; with it those that looks over months and
    quarters and roll-ups read. Needs `with recursive`. -#}
{% macro pay_rows_ctes(month, steps) -%}
{{ months_cte(ref('derived_measures').render(), month, 'this') }}

, {{ reports_cte(month) }}

, {{ quarters_cte(ref('derived_measures').render(), month) }}

, newest as (
    select pay_month, max(revision) as revision
    from {{ source('published', 'payroll_runs') }}
    where status = 'published'
    group by pay_month
)

-- What was last published as gross pay for the month before, retro lines included.
, gross_before as (
    select lines.employee_id, sum(lines.amount) as previous_gross
    from {{ source('published', 'pay_lines') }} as lines
    inner join newest
        on lines.pay_month = newest.pay_month and lines.revision = newest.revision
    where
        lines.component_group <> 'contribution'
        and lines.pay_month = {{ period_text("cast('" ~ month ~ "' as date) - interval 1 month", 'month') }}
    group by lines.employee_id
)

, paid_rows as (
    {{ period_rows(month, 'month', ['month', 'quarter', 'year'], steps) }}
)

, everyone as (
    select paid_rows.*, gross_before.previous_gross
    from paid_rows
    left join gross_before
        on paid_rows.employee_id = gross_before.employee_id
)
{%- endmacro %}
