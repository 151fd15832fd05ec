"""Where a shard runs.  Executors differ in nothing else."""
