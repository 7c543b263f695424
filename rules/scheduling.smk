# With its own limit of jobs a second Snakemake 9.27 looks for jobs again a second after each look, for ever: after n jobs n
# times a second, and at its end it waits for the last look. A limit that a user sets holds.
onstart:
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None
