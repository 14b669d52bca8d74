"""The reference model: home win, draw or away win of a football match, from earlier matches alone.

It touches the rest of the system only through MLflow (the model) and the match store (upcoming matches with
their features). `python -m models.football train` and `python -m models.football publish` are its two doings.
"""
