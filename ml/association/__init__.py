"""How much more often two products are bought together than habit alone would have it, with the evidence."""
