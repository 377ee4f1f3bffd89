"""Situations that bundles are made for; each turns solutions into the rows that are published."""
