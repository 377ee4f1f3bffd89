"""How models are judged: splits by time, metrics, intervals, the gate."""
