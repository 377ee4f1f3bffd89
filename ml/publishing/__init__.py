"""From a written run to the one that people read: the lease, the audit, the pointer."""
