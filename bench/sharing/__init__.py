"""Results that travel: merged, submitted, verified by somebody else, and put on a shared board (docs/sharing.md)."""
