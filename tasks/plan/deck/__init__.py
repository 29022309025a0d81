"""Deal entities into samples: shuffled decks, repairs, targets and top-up."""
