-- Due products, alerts and suggested bundles about what the shop's list of sensitive categories names as it stands now.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

labels as (

    select
        product_id,
        trim(unnest(string_to_array(category_path, '>'))) as label
    from {{ ref('stg_raw__products') }}

    union

    select
        product_id,
        title as label
    from {{ ref('stg_raw__products') }}

),

sensitive as (

    select labels.product_id
    from labels
    inner join {{ ref('sensitive_categories') }} as listed on labels.label ilike listed.match_value

),

named as (

    select
        customer_id,
        product_id
    from {{ source('ml', 'due_repurchases') }}
    where run_id = {{ audited_run() }}

    union all

    select
        customer_id,
        product_id
    from {{ source('ml', 'care_alerts') }}
    where run_id = {{ audited_run() }} and product_id is not null

    union all

    select
        cards.customer_id,
        items.product_id
    from {{ source('ml', 'customer_cards') }} as cards
    inner join {{ source('ml', 'bundle_items') }} as items on cards.suggested_bundle_id = items.bundle_id
    where cards.run_id = {{ audited_run() }}

)

select distinct
    named.customer_id,
    named.product_id
from named
inner join sensitive on named.product_id = sensitive.product_id
