"""Everything with weights or a renderer, behind the small protocols of `models.contracts`."""
