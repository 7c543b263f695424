from counterwarp.stats.longitudinal import pair_scans


def index_pairs():
    """The pairs of scans that show a change; none for a benchmark, or a cohort that was scanned once."""
    wanted = config["longitudinal"]
    if IS_BENCHMARK or not wanted:
        return pd.DataFrame(columns=["subject", "split", "earlier", "later"])
    try:
        return pair_scans(SCANS, **wanted)
    except ConfigError as error:
        raise WorkflowError(f"Nothing was started. Correct this first:\n{error}")


PAIRS = index_pairs()
EARLIER = dict(zip(PAIRS.later, PAIRS.earlier))


def earlier(pattern):
    """The same file of the scan with which a later one is compared."""

    def path(wildcards):
        scan = SCANS.loc[EARLIER[wildcards.scan]]
        return workflow.pathvars.apply(pattern).format(scan=scan.scan, folder=scan.folder)

    return path


def every_later(pattern):
    """The paths of the later scans of all pairs."""
    return expand(workflow.pathvars.apply(pattern), zip, scan=PAIRS.later, folder=SCANS.folder[PAIRS.later])
