"""Values and counters that may vanish at any moment."""
