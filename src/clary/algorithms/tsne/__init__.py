"""t-SNE: maps on which rows that are alike lie together, and new rows placed into them."""
