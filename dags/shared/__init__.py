"""What the DAGs share: assets, the as-of date, trigger forms, the one kind of stage task."""
