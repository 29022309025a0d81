"""What every training loop of ours shares."""
