"""Who may do what, where people log in."""
