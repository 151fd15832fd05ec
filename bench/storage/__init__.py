"""What lies below `out/store`: content-addressed results, their index, and reading them back (docs/storage.md)."""
