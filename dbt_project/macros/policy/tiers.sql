{#
    Tier rules. What a rule does to each grade that it is for stands in policy.tier_moves; the models below read it
    through these CTEs.
#}

{#- The versions with tier rules in force on the last day of a month, with each grade on their tracks: `ladder`. -#}
{% macro ladder_cte(month) -%}
ladder as (
    select
        versions.plan
        , versions.plan_version
        , ladders.grade
        , ladders.next_grade
        , ladders.lower_grade
    from {{ source('policy', 'versions') }} as versions
    inner join {{ source('policy', 'ladders') }} as ladders
        on versions.plan_version = ladders.plan_version
    where
        versions.has_tiers
        and versions.effective_from <= {{ last_day_of_month(month) }}
        and {{ last_day_of_month(month) }} < versions.effective_to
)
{%- endmacro %}

{#- The first rule that holds for each employee (`employees`: employee_id, plan_version, grade), by the conditions in a
    relation so far; conditions that are not in it count as met. -#}
{% macro first_rule(employees, conditions) -%}
    select
        holding.employee_id
        , min(holding.rule) as rule
    from (
        select
            employees.employee_id
            , moves.rule
        from {{ employees }} as employees
        inner join {{ source('policy', 'tier_moves') }} as moves
            on employees.plan_version = moves.plan_version and employees.grade = moves.grade
        left join {{ conditions }} as conditions
            on employees.employee_id = conditions.employee_id and moves.rule = conditions.rule
        group by employees.employee_id, moves.rule
        having min(case when conditions.met or conditions.employee_id is null then 1 else 0 end) = 1
    ) as holding
    group by holding.employee_id
{%- endmacro %}

{#- CTEs that let the places of a rule be contested: `entrants_<n>` are those whom no earlier rule decides and whose
    conditions are all met, `conditions_<n>` adds to what is known of each the place that he took. Rules one after the
    other, for who is promoted by one enters no later contest. -#}
{% macro contest_ctes(steps) -%}
    {%- for step in steps %}
    {%- set before = 'conditions_' ~ loop.index0 %}

, first_{{ loop.index }} as (
    {{ first_rule('everyone', before) }}
)

, entrants_{{ loop.index }} as (
    select
        cur.employee_id
        {%- for attribute in (step['within'] or '').split(',') if attribute %}
        , cur.{{ attribute }}
        {%- endfor %}
        , cur.hire_date
        , {{ step['value_sql'] }} as score
        , {{ step['threshold_sql'] }} as places
    from planned_{{ step['plan'] }}_parts as cur
    inner join first_{{ loop.index }} as first_rule
        on cur.employee_id = first_rule.employee_id
    where
        first_rule.rule = {{ step['rule'] }}
        and cur.active_all_months = 1
        and cur.active_last_day = 1
)

, places_{{ loop.index }} as (
    select
        employee_id
        , places
        , row_number() over (
            {%- if step['within'] %}
            partition by {{ step['within'].split(',') | join(', ') }}
            {%- endif %}
            order by score desc, hire_date, employee_id
        ) as place
    from entrants_{{ loop.index }}
    where score is not null
)

, conditions_{{ loop.index }} as (
    select * from {{ before }}
    union all
    select
        cur.month_start
        , cur.period as quarter
        , cur.employee_id
        , {{ step['rule'] }} as rule
        , '{{ step['step'] }}' as condition_name
        , '{{ step['measure'] }}' as measure
        , cast(places.place as decimal(18, 6)) as value
        , '<=' as operator
        , {{ step['threshold_sql'] }} as threshold
        , coalesce(places.place <= places.places, false) as met
        , cur.plan_version
    from planned_{{ step['plan'] }}_parts as cur
    inner join {{ source('policy', 'tier_moves') }} as moves
        on cur.plan_version = moves.plan_version and cur.grade = moves.grade and moves.rule = {{ step['rule'] }}
    left join places_{{ loop.index }} as places
        on cur.employee_id = places.employee_id
)
    {%- endfor %}
{%- endmacro %}
