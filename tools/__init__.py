"""Programs for developers: installation, lock files, software bill of materials."""
