-- migrate:up
-- Dropping the partitions of a run takes a lock that shuts out every reader, table after table; a query over two of
-- them takes its locks in another order. Who waits for a second is ended as a deadlock, and that was the reader. Thirty
-- tables at 30 ms each are less, so it is the drop that gives way; what stays is dropped at the next call.
alter function ops.drop_old_runs(text, integer) set lock_timeout = '30ms';

-- migrate:down
alter function ops.drop_old_runs(text, integer) set lock_timeout = '2s';
