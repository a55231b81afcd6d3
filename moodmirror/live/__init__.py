"""Socket.IO: visitors' sessions, their inputs, and the moods and tables published to them."""
