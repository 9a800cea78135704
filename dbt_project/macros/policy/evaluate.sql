{#
    Evaluating plans. The steps of the plan versions in force come from policy.steps at run time, each with its SQL;
    a level of steps becomes one CTE over the row `cur` of an employee, wide, with a column a step.
#}

{#- The month of a microbatch model's batch, as an SQL date text. Without a batch (parsing) a month far back. -#}
{% macro batch_month() -%}
    {{ return(model.batch.event_time_start.strftime('%Y-%m-01') if model.batch else '1900-01-01') }}
{%- endmacro %}

{#- The steps of a stage in force on the last day of a month, as rows, in the order of plan, level and position: those
    for everyone, and those of the plans that somebody is on. -#}
{% macro steps_in_force(stage, month, period='month') -%}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {%- set query -%}
        select
            plan, plan_version, step, everyone, level, value_sql, explanation_sql, component_group, frequency,
            base_sql, rate_sql, quantity_sql, rule, operator, threshold_sql, measure, within, parts
        from {{ source('policy', 'steps') }}
        where
            stage = '{{ stage }}'
            and period = '{{ period }}'
            and effective_from <= {{ last_day_of_month(month) }}
            and {{ last_day_of_month(month) }} < effective_to
            and (
                everyone
                or plan in (
                    select plan from {{ ref('period_wide').render() }}
                    where month_start = cast('{{ month }}' as date)
                )
            )
        order by plan, level, position
    {%- endset -%}
    {{ return(run_query(query).rows) }}
{%- endmacro %}

{% macro last_day_of_month(month) -%}
    last_day(cast('{{ month }}' as date))
{%- endmacro %}

{#- A running number of months, so that a look over months is arithmetic on every engine. -#}
{% macro month_number(column) -%}
    (extract(year from {{ column }}) * 12 + extract(month from {{ column }}))
{%- endmacro %}

{#- CTEs `<name>_1` … over `<name>_0`, one a level of steps, each after those of the parts that its steps read. -#}
{% macro level_ctes(name, steps) -%}
    {%- set known = [] -%}
    {%- for level, found in steps | groupby('level') %}
{{- parts_ctes(name ~ '_' ~ loop.index0, found, known) }}
, {{ name }}_{{ loop.index }} as (
    select
        cur.*
        {%- for step in found %}
        , {{ step['value_sql'] }} as {{ step['step'] }}
        , {{ step['explanation_sql'] }} as {{ step['step'] }}__why
        {%- for part in ('base', 'rate', 'quantity') %}
        {%- if step[part ~ '_sql'] %}
        , {{ step[part ~ '_sql'] }} as {{ step['step'] }}__{{ part }}
        {%- endif %}
        {%- endfor %}
        {%- endfor %}
    from {{ name }}_{{ loop.index0 }}_parts as cur
)
    {%- endfor %}
{%- endmacro %}

{#- The CTE `<name>_parts`: the rows of a CTE with the parts that steps read as columns beside them. A part reads parts
    of lower levels only, so there is a CTE a level. `known` are parts that are columns already; new ones are added. -#}
{% macro parts_ctes(name, steps, known) -%}
    {%- set fresh = [] -%}
    {%- for step in steps if step['parts'] -%}
        {%- for part in fromjson(step['parts']) if part[0] not in known -%}
            {%- do known.append(part[0]) -%}
            {%- do fresh.append({'part': part[0], 'level': part[1], 'sql': part[2]}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- set last = namespace(name=name) -%}
    {%- for level, parts in fresh | groupby('level') %}
, {{ name }}_parts_{{ loop.index }} as (
    select
        cur.*
        {%- for part in parts %}
        , {{ part['sql'] }} as {{ part['part'] }}
        {%- endfor %}
    from {{ last.name }} as cur
)
    {%- set last.name = name ~ '_parts_' ~ loop.index %}
    {%- endfor %}
, {{ name }}_parts as (
    select * from {{ last.name }}
)
{%- endmacro %}

{#- For each plan that the steps are of, its members' rows with the parts that its steps read: `planned_<plan>_parts`. -#}
{% macro planned_ctes(rows, steps) -%}
    {%- for plan, own in steps | groupby('plan') %}
, planned_{{ plan }} as (
    select * from {{ rows }} where plan = '{{ plan }}'
)
{{- parts_ctes('planned_' ~ plan, own, []) }}
    {%- endfor %}
{%- endmacro %}

{% macro level_count(steps) -%}
    {{ return(steps | map(attribute='level') | unique | list | length) }}
{%- endmacro %}

{#- Derived measures of stored periods as columns beside their key: `select employee_id, month_no, max(…) as name, …`. -#}
{% macro derived_columns(names) -%}
    {%- for name in names %}
        , max(case when measure = '{{ name }}' then value end) as {{ name }}
    {%- endfor %}
{%- endmacro %}

{#- All names of derived measures of a period kind, whatever the plan and version. -#}
{% macro derived_names(period='month') -%}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {%- set query -%}
        select distinct step
        from {{ source('policy', 'steps') }}
        where stage = 'measure' and period = '{{ period }}'
        order by step
    {%- endset -%}
    {{ return(run_query(query).columns[0].values() | list) }}
{%- endmacro %}

{#- The names of the measures in period_wide, from the catalogue that the policies were checked against. -#}
{% macro base_measure_names() -%}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {%- set query -%}
        select measure from {{ source('policy', 'measures') }} where not derived order by measure
    {%- endset -%}
    {{ return(run_query(query).columns[0].values() | list) }}
{%- endmacro %}
