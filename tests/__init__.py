"""Tests, a file for each room of the house."""
