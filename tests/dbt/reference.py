"""The features once more, slowly, in plain Python from the raw rows: what dbt's SQL is held against."""

import math
from collections import defaultdict
from datetime import date, timedelta
from statistics import mean
from typing import Any

Rows = list[dict[str, Any]]


class Reference:
    """Features of one day, computed row by row."""

    def __init__(self, world: dict[str, Rows], as_of: date, min_product_baskets: int, min_pair_baskets: int) -> None:
        self.world, self.as_of = world, as_of
        self.thresholds = min_product_baskets, min_pair_baskets
        self.orders = {
            order["order_id"]: order
            for order in world["orders"]
            if order["status"] != "cancelled" and _day(order["ordered_at"]) <= as_of
        }
        self.lines = [line for line in world["order_items"] if line["order_id"] in self.orders]
        self.prices = {product["product_id"]: self._price(product) for product in world["products"]}
        self.bundleable = {
            product["product_id"]
            for product in world["products"]
            if product["category_path"] != "FUEL" and product["is_active"] and self.prices[product["product_id"]]
        }
        self.baskets = self._baskets()

    def _price(self, product: dict[str, Any]) -> int | None:
        sold = [
            (_day(self.orders[line["order_id"]]["ordered_at"]), line["unit_price_cents"])
            for line in self.lines
            if line["product_id"] == product["product_id"] and line["quantity"] > 0 and line["unit_price_cents"] > 0
        ]
        recent = [price for day, price in sold if day > self.as_of - timedelta(days=90)]
        last = [price for day, price in sold if day == max(sold)[0]]
        return product["price_cents"] or _lower_median(recent) or _lower_median(last)

    def _baskets(self) -> dict[str, dict[str, Any]]:
        """Walk the days in order; a return pops units off the buyer's stack of purchases."""
        days: dict[tuple[str, str], dict[str, dict[str, Any]]] = defaultdict(dict)
        for line in self.lines:
            order = self.orders[line["order_id"]]
            day, customer = _day(order["ordered_at"]), order["customer_id"]
            basket = f"c:{customer}:{day}" if customer else f"o:{order['order_id']}"
            buyer = f"c:{customer}" if customer else basket
            one = days[buyer, line["product_id"]].setdefault(
                basket, {"day": day, "customer": customer, "bought": 0, "returned": 0, "paid": 0, "discount": 0}
            )
            if line["quantity"] > 0:
                one["bought"] += line["quantity"]
                one["paid"] += max(line["quantity"] * line["unit_price_cents"] - line["discount_cents"], 0)
                one["discount"] += line["discount_cents"]
            else:
                one["returned"] -= line["quantity"]
        baskets: dict[str, dict[str, Any]] = {}
        for (_, product), history in days.items():
            stack: list[list[Any]] = []
            for basket, one in sorted(history.items(), key=lambda item: item[1]["day"]):
                net = one["bought"] - one["returned"]
                if net > 0:
                    stack.append([basket, net])
                while net < 0 and stack:
                    taken = min(-net, stack[-1][1])
                    stack[-1][1] -= taken
                    net += taken
                    if stack[-1][1] == 0:
                        stack.pop()
            for basket, kept in stack:
                one = history[basket]
                if product in self.bundleable:
                    basket_row = baskets.setdefault(basket, {"day": one["day"], "customer": one["customer"], "of": {}})
                    share = (kept, one["paid"] * kept // one["bought"], one["discount"] * kept // one["bought"])
                    basket_row["of"][product] = share
        return baskets

    def ftr_baskets(self) -> set[tuple[Any, ...]]:
        """Return the rows of ``ftr_baskets`` without ``as_of`` and ``is_giant``."""
        days = defaultdict(list)
        for basket in self.baskets.values():
            days[basket["customer"]].append(basket["day"])
        rows = set()
        for basket_id, basket in self.baskets.items():
            customer, products = basket["customer"], sorted(basket["of"], key=lambda name: name.encode())
            number = sorted(days[customer]).index(basket["day"]) + 1 if customer else None
            units, paid = (tuple(basket["of"][p][n] for p in products) for n in (0, 1))
            rows.add((basket_id, customer, basket["day"], number, tuple(products), units, paid, len(products)))
        return rows

    def ftr_customer_products(self) -> set[tuple[Any, ...]]:
        """Return the rows of ``ftr_customer_products`` without ``as_of``."""
        history, of_customer = defaultdict(list), defaultdict(int)
        for basket in self.baskets.values():
            if basket["customer"]:
                of_customer[basket["customer"]] += 1
                for product, (units, _, _) in basket["of"].items():
                    history[basket["customer"], product].append((basket["day"], units))
        return {
            (
                *key,
                len(seen),
                sum(units for _, units in seen),
                min(seen)[0],
                max(seen)[0],
                (self.as_of - max(seen)[0]).days,
                len(seen) / of_customer[key[0]],
                _mean_gap([day for day, _ in seen]),
            )
            for key, seen in history.items()
        }

    def ftr_product_pairs(self) -> dict[tuple[str, str], tuple[Any, ...]]:
        """Return counts, support, lift, its interval and customers by pair."""
        alone: dict[str, int] = defaultdict(int)
        together: dict[tuple[str, str], list[str | None]] = defaultdict(list)
        for basket in self.baskets.values():
            products = sorted(basket["of"], key=lambda name: name.encode())
            for n, product in enumerate(products):
                alone[product] += 1
                for other in products[n + 1 :]:
                    together[product, other].append(basket["customer"])
        total, rows = len(self.baskets), {}
        for (a, b), buyers in together.items():
            pair = len(buyers)
            if min(alone[a], alone[b]) < self.thresholds[0] or pair < self.thresholds[1]:
                continue
            lift = pair * total / (alone[a] * alone[b])
            error = math.sqrt(
                max(1 / pair - 1 / alone[a] - 1 / alone[b] + 2 * pair / (alone[a] * alone[b]) - 1 / total, 0)
            )
            low, high = (lift * math.exp(sign * 1.959964 * error) for sign in (-1, 1))
            rows[a, b] = (pair, alone[a], alone[b], total, pair / total, lift, low, high, len(set(buyers) - {None}))
        return rows

    def ftr_products(self) -> dict[str, tuple[Any, ...]]:
        """Return price, bundleable, baskets, customers, ratings, promoted and trend by product."""
        rows, recent, earlier = {}, defaultdict(int), defaultdict(int)
        category = {p["product_id"]: p["category_path"].split(" > ")[-1] for p in self.world["products"]}
        for basket in self.baskets.values():
            age = (self.as_of - basket["day"]).days
            for product, (units, _, _) in basket["of"].items():
                recent[category[product]] += units if age < 28 else 0
                earlier[category[product]] += units if 28 <= age < 56 else 0
        for product in category:
            having = [basket for basket in self.baskets.values() if product in basket["of"]]
            stars = self._stars(product)
            before = earlier[category[product]]
            rows[product] = (
                self.prices[product],
                product in self.bundleable,
                len(having),
                len({basket["customer"] for basket in having} - {None}),
                mean(stars) if stars else None,
                self._is_promoted(product, self.as_of),
                recent[category[product]] / before if before else None,
            )
        return rows

    def _stars(self, product: str) -> list[int]:
        """Return the stars of buyers' first reviews of a product; so few come in a day that all of them count."""
        stars, heard = [], set()
        for review in sorted(self.world["reviews"], key=lambda r: (r["reviewed_at"], r["review_id"])):
            author, day = review["customer_id"], date.fromisoformat(review["reviewed_at"][:10])
            if review["product_id"] != product or author is None or author in heard:
                continue
            if any(customer == author and bought < day for customer, bought in self._bought(product)):
                heard.add(author)
                stars.append(review["rating"])
        return stars

    def _bought(self, product: str) -> list[tuple[str | None, date]]:
        """Return who bought a product and when, whatever came back of it."""
        orders = {o["order_id"]: o for o in self.world["orders"] if o["status"] != "cancelled"}
        return [
            (orders[i["order_id"]]["customer_id"], date.fromisoformat(orders[i["order_id"]]["ordered_at"][:10]))
            for i in self.world["order_items"]
            if i["product_id"] == product and i["quantity"] > 0 and i["order_id"] in orders
        ]

    def ftr_customers(self) -> dict[str, tuple[Any, ...]]:
        """Return baskets, first and last day, mean gap, mean products and mean cents by customer."""
        history: dict[str, list[dict[str, Any]]] = {c["customer_id"]: [] for c in self.world["customers"]}
        for basket in self.baskets.values():
            if basket["customer"]:
                history.setdefault(basket["customer"], []).append(basket)
        rows = {}
        for customer, baskets in history.items():
            days = [basket["day"] for basket in baskets]
            sizes = [len(basket["of"]) for basket in baskets]
            paid = [sum(money for _, money, _ in basket["of"].values()) for basket in baskets]
            facts = (min(days), max(days), _mean_gap(days), mean(sizes), mean(paid)) if baskets else (None,) * 5
            rows[customer] = (len(baskets), *facts)
        return rows

    def ftr_product_days(self) -> set[tuple[Any, ...]]:
        """Return the rows of ``ftr_product_days`` without ``as_of`` and ``price_cents``."""
        days: dict[tuple[str, date], list[tuple[int, int, int]]] = defaultdict(list)
        for basket in self.baskets.values():
            for product, kept in basket["of"].items():
                days[product, basket["day"]].append(kept)
        return {
            (*key, *(sum(n) for n in zip(*seen, strict=True)), self._is_promoted(*key)) for key, seen in days.items()
        }

    def _is_promoted(self, product: str, day: date) -> bool:
        return any(
            p["product_id"] == product and p["starts_on"] <= day <= p["ends_on"] for p in self.world["promotions"]
        )


def _day(instant: str) -> date:
    return date.fromisoformat(instant[:10])


def _lower_median(values: list[int]) -> int | None:
    return sorted(values)[(len(values) - 1) // 2] if values else None


def _mean_gap(days: list[date]) -> float | None:
    return (max(days) - min(days)).days / (len(days) - 1) if len(days) > 1 else None
