"""Backups of database, files and configuration: made, encrypted, verified, restored into a throw-away cluster, kept in bounds."""
