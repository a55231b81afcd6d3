"""The site's parts: pages, the HTTP interface, the live connection."""
