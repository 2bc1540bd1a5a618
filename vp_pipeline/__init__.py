"""vp-pipeline: cross-exchange volume profiles, session volatility and strategy tearsheets."""
