"""What was asked and what came of it: the store on disk, and the queue that hands jobs to an engine."""
