"""Language models: where their neurons are, where their weights come from, and how the lab grows its own."""
