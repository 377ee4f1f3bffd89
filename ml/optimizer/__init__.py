"""Which products to offer together: one problem statement, several solvers, and a bound that trusts none of them."""
