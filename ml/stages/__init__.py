"""One file a stage: read, call pure rooms, write, return counts."""
