"""What a run is: the strict recipe, its fingerprint, and how a profile becomes one."""
