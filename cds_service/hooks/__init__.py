"""CDS Hooks on the wire: discovery, the hook request, feedback. No clock, disk or network while answering."""
