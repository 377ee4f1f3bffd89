"""What bundles earned and whether the models still hold: frames of the warehouse in, rows of result tables out."""
