"""What things cost, measured on one machine in one run: `make bench`, `make bench-peers`."""
