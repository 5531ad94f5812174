"""Samples cut into shards, run here or on workers, kept, resumed and merged."""
