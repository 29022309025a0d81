"""What runs, when and with which parameters: short Prefect flows, the CLI, profiles."""
