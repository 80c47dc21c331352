"""A campaign's live view in the terminal, for `make watch` and the demo."""
