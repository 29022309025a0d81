"""The phantom hospital: rendered chest films with exact truth, where real films cannot be shipped."""
