-- One row per review, with whether it counts. One customer, one product, one review: the first on a day
-- after they bought it; and no more of a product and day than var max_day_reviews, the first of them. Judged by what
-- lies before the review, so it holds for any day; a thousand accounts that were made this hour change nothing.
with

reviews as (

    select * from {{ ref('stg_raw__reviews') }}

),

purchases as (

    select
        customer_id,
        product_id,
        min(ordered_on) as bought_on
    from {{ ref('int_order_lines_joined') }}
    where customer_id is not null and quantity_units > 0
    group by customer_id, product_id

),

verified as (

    select
        reviews.review_id,
        reviews.product_id,
        reviews.customer_id,
        reviews.rating,
        reviews.reviewed_at,
        reviews.reviewed_on,
        coalesce(purchases.bought_on < reviews.reviewed_on, false) as is_by_buyer
    from reviews
    left join purchases
        on reviews.customer_id = purchases.customer_id and reviews.product_id = purchases.product_id

),

turns as (

    select
        *,
        row_number() over (
            partition by product_id, customer_id, is_by_buyer order by reviewed_at, review_id
        ) as turn_of_customer
    from verified

),

places as (

    select
        *,
        row_number() over (
            partition by product_id, reviewed_on, is_by_buyer and turn_of_customer = 1
            order by reviewed_at, review_id
        ) as place_in_day
    from turns

),

judged as (

    select
        review_id,
        product_id,
        customer_id,
        rating,
        reviewed_at,
        reviewed_on,
        case
            when not is_by_buyer then 'not bought'
            when turn_of_customer > 1 then 'repeated'
            when place_in_day > {{ var('max_day_reviews') }} then 'too many'
        end as uncounted_reason
    from places

)

select * from judged
