"""Replenishment: what will be wanted in the next weeks, what to reorder, what to sell off in bundles instead."""
