"""Networks and weight formats that no installed library provides."""
