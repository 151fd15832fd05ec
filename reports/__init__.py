"""Everything a person reads: leaderboard, tables, curves, gallery, page."""
