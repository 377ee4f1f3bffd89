"""Where a shop's tables come from: each source delivers records in the raw contract."""
