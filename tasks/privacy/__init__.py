"""Privacy: is a film a copy of what the generator was trained on, and how well would we notice?"""
