"""New products: with what to show them, to whom, and how much of the shop's attention to spend on finding out."""
