"""Bundles and their prices chosen together: the same price for everybody, worth more than it gives away."""
