NAME = "clockwork"
