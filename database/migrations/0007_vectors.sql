-- migrate:up
-- What else a product is known by: vectors of any origin, beside the picture's.
alter table raw.products
    add column text_vector real[],
    add column audio_vector real[];
comment on column raw.products.text_vector is 'Embedding of a text on the product, where the shop has one.';
comment on column raw.products.audio_vector is 'Embedding of a sound or video of the product, where the shop has one.';

-- migrate:down
alter table raw.products drop column text_vector, drop column audio_vector;
