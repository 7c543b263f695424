"""What the scripts share: a step with its log, its failures and its atomic outputs; the digest of the code it runs."""

from counterwarp.workflow.step import cohort_step, read_failure, scan_step

__all__ = ["cohort_step", "read_failure", "scan_step"]
