"""The server's camera as the site sees it: its status, the picture of a fault, and frames published through Redis."""
