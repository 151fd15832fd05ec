"""Tables as papers print them: LaTeX, Markdown, CSV, JSON, Excel and the terminal (docs/tables.md)."""
