"""MLflow: what a run was, what it took and what came out."""
