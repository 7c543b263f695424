"""Numbers that compare maps, groups and methods."""
