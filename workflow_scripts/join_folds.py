"""Join what the folds of one seed say: of each scan, that of the networks which never saw its subject."""

from counterwarp.explain.folds import join_arrays, join_tables, order_of
from counterwarp.tsv import read_tsv
from counterwarp.workflow import cohort_step


def join(inputs, outputs):
    order = order_of(read_tsv(inputs.index))
    for name, output in vars(outputs).items():
        together = join_tables if output.endswith(".tsv") else join_arrays
        together(getattr(inputs, name), order, output)


cohort_step(snakemake, join)
