-- One row per pattern of what no customer's card may speak of, as the shop's list stands now.
with

listed as (

    select * from {{ ref('sensitive_categories') }}

)

select * from listed
