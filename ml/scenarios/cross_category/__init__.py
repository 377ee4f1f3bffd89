"""A promotion across categories: which products, at which discount, and whom to invite."""
