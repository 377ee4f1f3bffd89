-- Due products and suggested bundles that a rule in force forbids, or whose list price lies below its floor.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

with

offered as (

    select product_id
    from {{ source('ml', 'due_repurchases') }}
    where run_id = {{ audited_run() }}

    union

    select items.product_id
    from {{ source('ml', 'customer_cards') }} as cards
    inner join {{ source('ml', 'bundle_items') }} as items on cards.suggested_bundle_id = items.bundle_id
    where cards.run_id = {{ audited_run() }}

),

kept_out as (

    {{ kept_out_by_rules() }}

)

select kept_out.*
from offered
inner join kept_out on offered.product_id = kept_out.product_id
