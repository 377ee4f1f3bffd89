"""A shop whose truth is known: what customers want, what goes together, what competes, how prices act."""
