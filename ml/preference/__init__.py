"""Preference P(u, i): the probability that the customer's next basket holds the product.

"Next" is the first basket on or after the cut, whenever it comes: P is given that there is one, and says nothing
about how soon.
"""
