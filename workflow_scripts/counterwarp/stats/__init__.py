"""Numbers that compare maps, groups and methods."""

# In place of a seed: the maps averaged over the seeds. It is here for the pages of tables, for whose makers SciPy's
# statistics would be half of their time.
MEAN = "mean"
# In place of a seed or a fold: all of them together.
ALL = "all"
