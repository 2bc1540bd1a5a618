"""The website: what is stored, as pages and downloads. It only reads, and computes nothing itself."""
