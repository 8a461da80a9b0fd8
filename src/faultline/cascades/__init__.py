"""Heat beyond the price, its path and liquidations in, chains of levels with probabilities, and episodes out."""
