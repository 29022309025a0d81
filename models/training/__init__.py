"""The one trainer that every training loop here uses, and its parts."""
