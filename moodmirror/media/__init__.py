"""Untrusted files and frames: decoder processes, their isolation, the client that talks to them, analysis of whole files."""
