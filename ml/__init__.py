"""The work between the two doors: sources, models, optimizer, evaluation and the stages that join them."""
