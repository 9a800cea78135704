{#- The roster in force in each month that is being rebuilt: the newest delivery at or before the month's last day. -#}

{%- set columns, files = [], [] -%}
{%- if execute -%}
    {%- set columns = run_query(
        "select column_name, sql_type from " ~ source('control', 'columns')
        ~ " where dataset = 'employees' order by position").rows -%}
    {%- set files = run_query(
        "select distinct roster_path from " ~ source('control', 'months')
        ~ " where stale and roster_path is not null order by roster_path").columns[0].values() -%}
{%- endif %}

{{ adapter.dispatch('roster_files')(columns, files) }}
