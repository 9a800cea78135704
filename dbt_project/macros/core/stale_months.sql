{#- Data tests look at the months that were rebuilt: a night costs what the night's rows cost. (In a yml the same words
    stand written out: dbt knows no macros there.) -#}
{% macro in_stale_months(column='month_start') -%}
    {{ column }} in (select month_start from control.months where stale)
{%- endmacro %}
