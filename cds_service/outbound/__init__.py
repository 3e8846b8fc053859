"""Calling other servers: safe addresses, a deadline nobody outlasts, and one bounded exchange.

Reading order: address, not_fetched, threads, deadline, dial, connection, kept, fetch.
"""
