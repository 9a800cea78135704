{{ config(materialized='view') }}

{#- Who stands on which list of a quarter: honours (优秀客服, 服务明星), eligibility for a transfer (转岗). A list is a
    measure of the unit `listed` that is 1. -#}

with listed as (
    select
        measure
        , label_zh
        , label_en
    from {{ source('policy', 'measures') }}
    where unit = 'listed'
)

select
    derived.employee_id
    , derived.period as quarter
    , derived.measure as list
    , listed.label_zh
    , listed.label_en
from {{ ref('derived_measures') }} as derived
inner join listed
    on derived.measure = listed.measure
where derived.value = 1
