-- migrate:up
-- A try that writes holds its lease until it is done, and one that was stopped amid it until Postgres ends it (after
-- five minutes, database/roles.sql). The next try waits for that, rather than use up all tries within a minute.
alter function ops.open_run(text, date, text, bigint, jsonb, text) set lock_timeout = '6min';

-- migrate:down
alter function ops.open_run(text, date, text, bigint, jsonb, text) set lock_timeout to default;
