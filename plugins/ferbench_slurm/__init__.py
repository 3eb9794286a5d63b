"""The executor `slurm`: each piece of work of a study is a job of a Slurm cluster."""
