"""How demand follows prices and time; pure."""
