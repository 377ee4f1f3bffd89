-- Items that the shop's list of exclusions names as it stands now.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select
    items.bundle_id,
    items.product_id,
    min(rules.reason) as reason
from {{ source('ml', 'bundle_items') }} as items
inner join {{ ref('stg_raw__products') }} as products on items.product_id = products.product_id
inner join {{ ref('excluded_products') }} as rules
    on (
        case rules.match_field
            when 'product_id' then products.product_id
            when 'department' then products.department
            when 'category' then products.category
            when 'title' then products.title
        end
    ) ilike rules.match_value
where items.run_id = {{ audited_run() }}
group by items.bundle_id, items.product_id
