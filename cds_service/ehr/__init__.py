"""The FHIR server we may call back for prefetch keys that did not come.

Reading order: allow (may we?), server (one request), pages (one key), fill (all keys, within a budget).
"""
