"""Policies: the rules that turn preferences, associations and constraints into bundles, compared like models."""
