"""`make bench`: Tandem measured beside its peers, with the same model, rows and callers, on one machine."""
