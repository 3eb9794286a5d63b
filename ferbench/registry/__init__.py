"""The registry: plugins, their cards, and the components that the cards describe."""
