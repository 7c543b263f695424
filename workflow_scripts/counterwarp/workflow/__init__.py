"""What the scripts share: a step with its log, its failures and its atomic outputs; the digest of the code it runs."""

from counterwarp.workflow.step import (
    cohort_step,
    log_speed,
    read_failure,
    scan_step,
    without_failures,
    write_not_used,
)

__all__ = ["cohort_step", "log_speed", "read_failure", "scan_step", "without_failures", "write_not_used"]
