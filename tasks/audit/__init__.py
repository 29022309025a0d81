"""Look at corpora and at what judges them: entity banks mined from reports, and recognisers graded."""
