"""Language models: where their neurons are, how they are loaded, and how the lab grows its own."""
