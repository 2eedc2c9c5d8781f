"""Measured figures of one run: sync, raw inserts, following and rebuilding, on SQLite and PostgreSQL."""
