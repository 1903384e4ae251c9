"""The questions put to every algorithm, ours and third parties'."""
