"""The slow, obvious twin of the ledger: a dictionary of cells, one operation at a time, no tables."""

from __future__ import annotations

import math

from faultline.heatmap.ledger_kernels import ENTRY_SPLIT as SPLIT

MINUTE_NS = 60_000_000_000
WIDTH = 5e-4


class NaiveLedger:
    """Cells ``(side, bucket, leverage) -> units``; openings wait until their minute ends or price comes near."""

    def __init__(self, parameters, n_buckets=4096):
        self.p = parameters
        self.n_buckets = n_buckets
        self.first = 0
        self.cells = {}
        self.front = {}
        self.waiting = []
        self.clock = 0
        levs = range(len(parameters.leverages))
        self.deposited = {(s, k): 0.0 for s in (0, 1) for k in levs}
        self.decayed = dict(self.deposited)
        self.swept = dict(self.deposited)
        self.skipped = dict(self.deposited)

    @staticmethod
    def place(price):
        return math.log(price) / WIDTH + 1e-8

    def hazard(self, k):
        lev = self.p.leverages[k]
        return self.p.hazard_per_hour_at_10x * (lev / 10) ** self.p.hazard_exponent / 3.6e12

    def levels(self, part, side, k):
        """Bucket shifts and shares of leverage ``k`` from an entry in quarter ``part`` of its bucket."""
        n = self.p.dispersion_nodes if self.p.dispersion > 0 else 1
        zs = [0.0] if n == 1 else [-2 + 4 * i / (n - 1) for i in range(n)]
        total = sum(math.exp(-z * z / 2) for z in zs)
        for z in zs:
            margin = 1 / self.p.leverages[k] - self.p.maintenance_ratio - self.p.margin_buffer_ratio
            d = margin * math.exp(self.p.dispersion * z)
            share = math.exp(-z * z / 2) / total
            if d <= 0 or (side == 0 and d >= 1):
                yield None, share
                continue
            shift = math.log(1 - d) if side == 0 else math.log(1 + d)
            yield math.floor((part + 0.5) / SPLIT + shift / WIDTH), share

    def decay_to(self, time):
        if time // MINUTE_NS != self.clock // MINUTE_NS:
            self.flush()
        dt = time - self.clock
        self.clock = time
        for key in self.cells:
            left = self.cells[key] * math.exp(-self.hazard(key[2]) * dt)
            self.decayed[key[0], key[2]] += self.cells[key] - left
            self.cells[key] = left
        for item in self.waiting:
            for k in range(len(item["units"])):
                left = item["units"][k] * math.exp(-self.hazard(k) * dt)
                self.decayed[item["side"], k] += item["units"][k] - left
                item["units"][k] = left

    def recentre(self, bucket):
        if abs(bucket - (self.first + self.n_buckets // 2)) <= self.n_buckets // 8:
            return
        self.flush()
        self.first = bucket - self.n_buckets // 2
        for key in list(self.cells):
            if not self.first <= key[1] < self.first + self.n_buckets:
                self.skipped[key[0], key[2]] += self.cells.pop(key)

    def put(self, side, bucket, k, units, front):
        old = sum(self.cells.get((side, bucket, x), 0.0) for x in range(len(self.p.leverages)))
        now = self.front.get((side, bucket), 1.0)
        if old + units > 0:
            self.front[side, bucket] = (now * old + front * units) / (old + units)
        key = (side, bucket, k)
        self.cells[key] = self.cells.get(key, 0.0) + units

    def inside(self, bucket):
        return bucket is not None and self.first <= bucket < self.first + self.n_buckets

    def flush(self):
        for item in self.waiting:
            for k, units in enumerate(item["units"]):
                for shift, share in self.levels(item["part"], item["side"], k):
                    bucket = None if shift is None else item["bucket"] + shift
                    if self.inside(bucket):
                        self.put(item["side"], bucket, k, units * share, 1.0)
                    else:
                        self.skipped[item["side"], k] += units * share
        self.waiting = []

    def deposit(self, price, units_long, units_short, low=None, high=None):
        values = [price, units_long, units_short] + ([] if low is None else [low, high])
        if any(math.isnan(v) for v in values):
            return
        if any(math.isinf(v) for v in values) or price <= 0 or units_long < 0 or units_short < 0:
            return
        if low is not None and not 0 < low <= high:
            return
        if units_long + units_short == 0:
            return
        entry = math.floor(self.place(price) * SPLIT)
        bucket, part = entry // SPLIT, entry % SPLIT
        self.recentre(bucket)
        if low is not None or any(
            item["entry"] % 64 == entry % 64 and item["entry"] != entry for item in self.waiting
        ):
            self.flush()
        for side, units in ((0, units_long), (1, units_short)):
            for k in range(len(self.p.leverages)):
                self.deposited[side, k] += units
            if low is None:
                row = [units] * len(self.p.leverages)
                self.waiting.append(
                    {"entry": entry, "bucket": bucket, "part": part, "side": side, "units": row}
                )
            elif units > 0:
                self.deposit_passed(side, bucket, part, units, self.place(low if side == 0 else high))

    def deposit_passed(self, side, bucket, part, units, limit):
        for k in range(len(self.p.leverages)):
            for shift, share in self.levels(part, side, k):
                target = None if shift is None else bucket + shift
                amount = units * share
                if not self.inside(target):
                    self.skipped[side, k] += amount
                    continue
                room = min(1.0, max(0.0, limit - target if side == 0 else target + 1 - limit))
                self.skipped[side, k] += amount * (1 - room)
                if room > 0:
                    self.put(side, target, k, amount * room, room)

    def sweep(self, low, high):
        """Consume and return ``{(side, bucket, leverage): units}``."""
        out = {}
        if math.isnan(low) or math.isnan(high):
            return out
        reach = 0
        for item in self.waiting:
            for k in range(len(self.p.leverages)):
                for shift, _ in self.levels(item["part"], item["side"], k):
                    if shift is None:
                        continue
                    b = item["bucket"] + shift
                    down, up = math.floor(self.place(low)) <= b, math.floor(self.place(high)) >= b
                    reach += down if item["side"] == 0 else up
        if reach:
            self.flush()
        for key in list(self.cells):
            side, bucket, k = key
            left = self.place(low) - bucket if side == 0 else bucket + 1 - self.place(high)
            front = self.front.get((side, bucket), 1.0)
            share = 1.0 if left <= 0 else max(0.0, 1 - left / front)
            if share > 0 and self.cells[key] > 0:
                out[key] = self.cells[key] * share
                self.swept[side, k] += out[key]
                self.cells[key] -= out[key]
        for side, bucket in list(self.front):
            left = self.place(low) - bucket if side == 0 else bucket + 1 - self.place(high)
            self.front[side, bucket] = 1.0 if left <= 0 else min(self.front[side, bucket], left)
        return out

    def standing(self):
        """Cells with waiting openings spread, without changing the ledger."""
        cells = dict(self.cells)
        for item in self.waiting:
            for k, units in enumerate(item["units"]):
                for shift, share in self.levels(item["part"], item["side"], k):
                    if shift is not None and self.inside(item["bucket"] + shift):
                        key = (item["side"], item["bucket"] + shift, k)
                        cells[key] = cells.get(key, 0.0) + units * share
        return cells
