"""A run and its tables: settings, sample sheets, and many runs together."""
