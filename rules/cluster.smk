from counterwarp.workflow.planning import of_try_alone

# Networks ask a cluster for a GPU; on one machine nobody counts it.
GPUS = 0 if config["device"] == "cpu" else 1

# Of the steps that lead to the trainings, the longest jobs: whatever else can run then fills the cores beside them.
FIRST = 1


def scaled(amount):
    """A resource that grows with each try, so that a job that was killed for want of it gets more."""
    return of_try_alone(lambda wildcards, attempt: amount * attempt)


def minutes(amount):
    """A time that the second try doubles, and the third keeps: three times it, no partition might have."""
    return of_try_alone(lambda wildcards, attempt: amount * min(attempt, 2))
