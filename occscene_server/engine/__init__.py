"""Who runs a job: one worker process that holds the model."""
