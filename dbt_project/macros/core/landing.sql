{#- The landed rows of a dataset, for the business dates that are being rebuilt: a night reads the night's files. -#}
{% macro landed(dataset) -%}
    {%- set columns, files = [], [] -%}
    {%- if execute -%}
        {%- set columns = run_query(
            "select column_name, sql_type from " ~ source('control', 'columns') ~ " where dataset = '" ~ dataset
            ~ "' order by position").rows -%}
        {%- set files = run_query(
            "select partitions.path from " ~ source('control', 'partitions') ~ " as partitions inner join "
            ~ source('control', 'stale_dates') ~ " as stale using (dataset, business_date) where dataset = '" ~ dataset
            ~ "' and path is not null order by path").columns[0].values() -%}
    {%- endif -%}
    {{ return(adapter.dispatch('landed_files')(dataset, columns, files)) }}
{%- endmacro %}

{% macro default__landed_files(dataset, columns, files) -%}
    {%- if files %}
    select
        partitions.business_date
        {%- for column in columns %}
        , landed.{{ column['column_name'] }}
        {%- endfor %}
    from read_parquet(['{{ files | map('replace', "'", "''") | join("', '") }}'], filename = true, hive_partitioning = false) as landed
    inner join {{ source('control', 'partitions') }} as partitions
        on landed.filename = partitions.path
    {%- else %}
    select
        cast(null as date) as business_date
        {%- for column in columns %}
        , cast(null as {{ column['sql_type'] }}) as {{ column['column_name'] }}
        {%- endfor %}
    where false
    {%- endif %}
{%- endmacro %}

{#- Before new rows of the rebuilt dates are added, the old ones go, also where a date has no rows any more. -#}
{% macro clear_stale_dates(datasets) %}{{ return(adapter.dispatch('clear_stale_dates')(datasets)) }}{% endmacro %}
{% macro default__clear_stale_dates(datasets) -%}
    {%- if is_incremental() -%}
    delete from {{ this }}
    where business_date in (
        select business_date from {{ source('control', 'stale_dates') }}
        where dataset in ('{{ datasets | join("', '") }}')
    )
    {%- endif -%}
{%- endmacro %}

{#- Stale dates of any of the datasets, as a subquery. -#}
{% macro stale_dates(datasets) -%}
    (select business_date from {{ source('control', 'stale_dates') }} where dataset in ('{{ datasets | join("', '") }}'))
{%- endmacro %}

{% macro default__roster_files(columns, files) -%}
    {%- if files %}
    select
        months.month_start
        {%- for column in columns %}
        , landed.{{ column['column_name'] }}
        {%- endfor %}
    from read_parquet(['{{ files | map('replace', "'", "''") | join("', '") }}'], filename = true, hive_partitioning = false) as landed
    inner join {{ source('control', 'months') }} as months
        on landed.filename = months.roster_path
    where months.stale
    {%- else %}
    select
        cast(null as date) as month_start
        {%- for column in columns %}
        , cast(null as {{ column['sql_type'] }}) as {{ column['column_name'] }}
        {%- endfor %}
    where false
    {%- endif %}
{%- endmacro %}

{#- The newest delivery of a full dataset; no row where there is none. -#}
{% macro newest_delivery(dataset) -%}
    {%- set columns, files = [], [] -%}
    {%- if execute -%}
        {%- set columns = run_query(
            "select column_name, sql_type from " ~ source('control', 'columns') ~ " where dataset = '" ~ dataset
            ~ "' order by position").rows -%}
        {%- set files = run_query(
            "select path from " ~ source('control', 'newest') ~ " where dataset = '" ~ dataset ~ "'"
            ).columns[0].values() -%}
    {%- endif -%}
    select
        {%- for column in columns %}
        {{ ', ' if not loop.first }}{{ column['column_name'] if files
            else 'cast(null as ' ~ column['sql_type'] ~ ') as ' ~ column['column_name'] }}
        {%- else %}
        null as nothing
        {%- endfor %}
    {%- if files %}
    from {{ adapter.dispatch('delivered_file')(files[0]) }}
    {%- else %}
    where false
    {%- endif %}
{%- endmacro %}

{% macro default__delivered_file(path) -%}
    read_parquet('{{ path }}')
{%- endmacro %}
