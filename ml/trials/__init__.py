"""Trials on a shop's own files: any model on any folder in the raw contract, without a database."""
