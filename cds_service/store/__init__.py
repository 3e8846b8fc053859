"""What outlives a process: one small database, SQLite by default, and nothing in it that names a patient."""
