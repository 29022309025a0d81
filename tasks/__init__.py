"""The stages of the factory, one sub-package each; Prefect stays in one thin module per stage."""
