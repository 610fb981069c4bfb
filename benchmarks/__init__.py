"""Our times against the floors of this machine, taken in the same run: only the ratios mean anything."""
