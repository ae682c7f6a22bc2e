"""load.py — one competitor of a bench, and what its rounds gave."""
from statistics import median


class Load:
    """One competitor: `run(round)` gives {"rate": ...}. `limit` names the competitor it is held against."""

    def __init__(self, name, run, limit=None, wanted=None, beside=(), unit="/s", workers=None):
        self.name, self.run, self.limit, self.wanted, self.beside, self.unit = name, run, limit, wanted, beside, unit
        self.workers, self.rounds = workers, []

    @property
    def value(self):
        return median(one["rate"] for one in self.rounds)

    def middle(self, *keys):
        values = []
        for one in self.rounds:
            for key in keys:
                one = one.get(key) if one else None
            if one is not None:
                values.append(one)
        return median(values) if values else None
