"""What `make_savedmodels.py` writes."""
