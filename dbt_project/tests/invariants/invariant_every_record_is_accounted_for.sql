-- I1: what a delivery held is accepted, a duplicate or in quarantine; as many rows as it says are there; a delivery
-- that was refused or repeated left nothing; and no row came without a delivery. Of customers, products and rules a
-- newer delivery replaces rows, so there may be fewer. An order that was cancelled later stands under the delivery that
-- cancelled it, which says how many it took from which. Of what customers left behind in deliveries from before
-- somebody asked to be left out there may be fewer, since an operator may have erased rows by hand: from then on of
-- those deliveries only a surplus is seen.
-- Not held here: that rows_in is what the file holds (the loader compares it with what its reader gave, and
-- tests/stages/test_load_raw.py and tests/bad_inputs count with a reader of their own), and sums of money: the contract
-- knows one currency, a refused record is text of which the amount may be what is wrong, and landed lines cannot
-- change, since the loader has no right to update them (I11).
{{ config(enabled=env_var('BUNDLES_RUN_ID', '0') | int > 0) }}
{% set facts = [
    'orders', 'order_items', 'events', 'reviews', 'stock_levels', 'promotions', 'market_signals', 'bundle_feedback',
    'sessions', 'given_bundles', 'lead_times'
] %}
{% set entities = ['customers', 'products', 'merch_rules'] %}
{% set of_customers = [
    'customers', 'orders', 'order_items', 'events', 'reviews', 'bundle_feedback', 'sessions'
] %}
with

asked as (

    select max(asked_at) as newest_at from {{ source('ops', 'erasures') }}

),

deliveries as (

    select
        *,
        table_name = any(string_to_array('{{ of_customers | join(" ") }}', ' '))
        and loaded_at < (select asked.newest_at from asked) as may_be_erased
    from {{ source('ops', 'load_manifest') }}

),

landed as (

    {% for name in facts + entities %}
        select
            load_id,
            '{{ name }}' as table_name,
            count(*) as records
        from {{ source('raw', name) }}
        group by load_id
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

set_aside as (

    select
        load_id,
        table_name,
        count(*) as records
    from {{ source('ops', 'quarantine') }}
    group by load_id, table_name

),

taken as (

    select
        earlier_load_id as load_id,
        sum(orders) as records
    from {{ source('ops', 'cancellations') }}
    group by earlier_load_id

),

cancelled as (

    select
        load_id,
        sum(orders) as records
    from {{ source('ops', 'cancellations') }}
    group by load_id

),

replayed as (

    select
        load_id,
        count(*) filter (where outcome = 'accepted') as accepted,
        count(*) filter (where outcome = 'duplicate') as duplicate
    from {{ source('ops', 'replays') }}
    group by load_id

)

select
    coalesce(deliveries.load_id, landed.load_id) as load_id,
    coalesce(deliveries.table_name, landed.table_name) as table_name,
    deliveries.status,
    deliveries.rows_in,
    deliveries.rows_accepted,
    deliveries.rows_duplicate,
    deliveries.rows_quarantined,
    landed.records as records_landed,
    taken.records as records_taken,
    set_aside.records as records_in_quarantine
from deliveries
full join landed on deliveries.load_id = landed.load_id and deliveries.table_name = landed.table_name
left join set_aside
    on deliveries.load_id = set_aside.load_id and deliveries.table_name = set_aside.table_name
left join replayed on deliveries.load_id = replayed.load_id
left join taken on deliveries.load_id = taken.load_id
left join cancelled on deliveries.load_id = cancelled.load_id
where
    deliveries.load_id is null
    or coalesce(set_aside.records, 0) > deliveries.rows_quarantined
    or coalesce(landed.records, 0) + coalesce(taken.records, 0) > deliveries.rows_accepted
    or coalesce(cancelled.records, 0) <> coalesce((deliveries.notes ->> 'cancelled_later')::bigint, 0)
    or replayed.accepted > deliveries.rows_accepted
    or replayed.duplicate > deliveries.rows_duplicate
    or (
        deliveries.may_be_erased is not true
        and (
            coalesce(set_aside.records, 0) < deliveries.rows_quarantined
            or replayed.accepted < deliveries.rows_accepted
            or replayed.duplicate < deliveries.rows_duplicate
            or (
                coalesce(landed.records, 0) + coalesce(taken.records, 0) < deliveries.rows_accepted
                and deliveries.table_name <> all(string_to_array('{{ entities | join(" ") }}', ' '))
            )
        )
    )
    or deliveries.rows_accepted + deliveries.rows_duplicate + deliveries.rows_quarantined
    <> case when deliveries.status = 'accepted' then deliveries.rows_in else 0 end

union all

-- A record in quarantine under another table than its delivery's.
select
    set_aside.load_id,
    set_aside.table_name,
    null as status,
    null as rows_in,
    null as rows_accepted,
    null as rows_duplicate,
    null as rows_quarantined,
    null as records_landed,
    null as records_taken,
    set_aside.records as records_in_quarantine
from set_aside
left join deliveries
    on set_aside.load_id = deliveries.load_id and set_aside.table_name = deliveries.table_name
where deliveries.load_id is null
