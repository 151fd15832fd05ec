"""What a study found, beside what the metrics say."""
