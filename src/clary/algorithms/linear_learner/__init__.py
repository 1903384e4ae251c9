"""Linear learner: classification and regression with linear models, many trained at once."""
