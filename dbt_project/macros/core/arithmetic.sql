{#- A ratio of whole numbers, rounded half up to 6 places, exactly: the numerator is given in millionths, the quotient
    is taken in whole numbers. Absent where there is nothing to divide by. -#}
{% macro ratio_6(millionths, denominator) %}{{ return(adapter.dispatch('ratio_6')(millionths, denominator)) }}{% endmacro %}
{% macro default__ratio_6(millionths, denominator) -%}
    cast(
        case
            when ({{ denominator }}) > 0 then
                sign({{ millionths }}) * (
                    (2 * abs(cast({{ millionths }} as hugeint)) + cast({{ denominator }} as hugeint))
                    // (2 * cast({{ denominator }} as hugeint))
                ) * 0.000001
        end as decimal(18, 6)
    )
{%- endmacro %}

{#- A sum of decimals in millionths, as a whole number. -#}
{% macro millionths(expression) %}{{ return(adapter.dispatch('millionths')(expression)) }}{% endmacro %}
{% macro default__millionths(expression) -%}
    cast({{ expression }} * 1000000 as hugeint)
{%- endmacro %}

{#- Microseconds from one instant to another. -#}
{% macro microseconds_between(earlier, later) %}{{ return(adapter.dispatch('microseconds_between')(earlier, later)) }}{% endmacro %}
{% macro default__microseconds_between(earlier, later) -%}
    (epoch_us({{ later }}) - epoch_us({{ earlier }}))
{%- endmacro %}

{#- The newest value so far that is not empty. -#}
{% macro last_known(expression, partition_by, order_by) -%}
    {{ return(adapter.dispatch('last_known')(expression, partition_by, order_by)) }}
{%- endmacro %}
{% macro default__last_known(expression, partition_by, order_by) -%}
    last_value({{ expression }} ignore nulls) over (
        partition by {{ partition_by }} order by {{ order_by }} rows between unbounded preceding and current row
    )
{%- endmacro %}

{% macro days_between(earlier, later) %}{{ return(adapter.dispatch('days_between')(earlier, later)) }}{% endmacro %}
{% macro default__days_between(earlier, later) -%}
    date_diff('day', {{ earlier }}, {{ later }})
{%- endmacro %}

{#- Whole months from a day to the first of a month: a month begun later than its first day is not whole. -#}
{% macro whole_months(since, first_of_month) -%}
    greatest(
        {{ month_number(first_of_month) }} - {{ month_number(since) }}
        - case when extract(day from {{ since }}) > 1 then 1 else 0 end
        , 0
    )
{%- endmacro %}
