"""Tools that try to break the project: crashes and faults at every system call, power cuts at every point."""
