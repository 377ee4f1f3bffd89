"""What is measured, not asserted: each module runs as ``python -m benchmarks.NAME [--quick] --json FILE``."""
