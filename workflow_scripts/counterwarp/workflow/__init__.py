"""What the scripts share: a step with its log, its failures and its atomic outputs; the digest of the code it runs."""

from counterwarp.workflow.step import (
    cohort_step,
    log_speed,
    not_used_record,
    read_failure,
    rerun_in,
    scan_step,
    without_failures,
    write_failure,
)

__all__ = [
    "cohort_step",
    "log_speed",
    "not_used_record",
    "read_failure",
    "rerun_in",
    "scan_step",
    "without_failures",
    "write_failure",
]
