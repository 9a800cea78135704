{#- Texts and dates that engines write differently. -#}

{% macro joined_text(expression, order_by) %}{{ return(adapter.dispatch('joined_text')(expression, order_by)) }}{% endmacro %}
{% macro default__joined_text(expression, order_by) -%}
    string_agg({{ expression }}, '; ' order by {{ order_by }})
{%- endmacro %}

{% macro next_day(column) %}{{ return(adapter.dispatch('next_day')(column)) }}{% endmacro %}
{% macro default__next_day(column) -%}
    cast({{ column }} + interval 1 day as date)
{%- endmacro %}

{#- How a period is written: 2026-09, 2026Q3, 2026. -#}
{% macro period_text(column, kind) %}{{ return(adapter.dispatch('period_text')(column, kind)) }}{% endmacro %}
{% macro default__period_text(column, kind) -%}
    {%- if kind == 'month' -%}strftime({{ column }}, '%Y-%m')
    {%- elif kind == 'quarter' -%}concat(strftime({{ column }}, '%Y'), 'Q', quarter({{ column }}))
    {%- else -%}strftime({{ column }}, '%Y')
    {%- endif -%}
{%- endmacro %}

{#- One row a measure from one column a measure; what is absent gives no row. -#}
{% macro unpivoted(relation_sql, names) %}{{ return(adapter.dispatch('unpivoted')(relation_sql, names)) }}{% endmacro %}
{% macro default__unpivoted(relation_sql, names) -%}
    unpivot ({{ relation_sql }}) on {{ names | join(', ') }} into name measure value value
{%- endmacro %}

{% macro first_month_of_quarter(month) -%}
    date_trunc('quarter', cast('{{ month }}' as date))
{%- endmacro %}

{% macro last_day_of_month_of(column) -%}
    last_day({{ column }})
{%- endmacro %}

{#- Whether a day lies in the 12 months that end with a month. -#}
{% macro in_last_12_months(column, month) -%}
    {{ column }} between cast('{{ month }}' as date) - interval 11 month and {{ last_day_of_month(month) }}
{%- endmacro %}

{#- Working days of public notice are counted up to so many: csperf.stale.NOTICE_DAYS_COUNTED. -#}
{% macro notice_days_counted() -%}{{ return(20) }}{%- endmacro %}
