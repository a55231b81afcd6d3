"""Untrusted files and frames: decoder processes, their isolation and clients, and the analysis of whole files."""
