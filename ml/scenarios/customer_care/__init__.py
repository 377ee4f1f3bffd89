"""What service staff should know about a customer: a short card, and alerts within what they can handle in a day."""
