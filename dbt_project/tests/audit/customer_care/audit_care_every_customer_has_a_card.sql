-- Customers of the day without a card who did not ask to be left out, and cards of those who never bought that claim to
-- know something.
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}

select customers.customer_id
from {{ ref('ftr_customers') }} as customers
left join {{ source('ml', 'customer_cards') }} as cards
    on customers.customer_id = cards.customer_id and cards.run_id = {{ audited_run() }}
where
    customers.as_of = {{ audited_as_of() }}
    and customers.customer_id not in (select erasures.customer_id from {{ source('ops', 'erasures') }} as erasures)
    and (
        cards.customer_id is null
        or (
            customers.baskets = 0
            and (coalesce(cards.note, '') = '' or cards.lapse_risk is not null)
        )
    )
