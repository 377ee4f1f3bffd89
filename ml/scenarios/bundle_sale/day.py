"""What a sale of a day is planned with, read from the shop."""

from ml.association.cooccurrence import CooccurrenceParams
from ml.demand.demand_model import DemandParams
from ml.demand.level import usual_level
from ml.demand.price_response import elasticities
from ml.demand.quantity import quantity_response
from ml.demand.side_effects import UNTOLD, side_effects
from ml.scenarios.bundle_sale.world import World
from ml.scenarios.ground import Ground


def world_of(ground: Ground) -> World:
    """Return what a sale of the day is planned with."""
    settings, params, as_of = ground.settings, ground.context.params, ground.context.as_of
    days, products = ground.product_days, ground.products
    elastic = elasticities(days, products, as_of)
    demand = DemandParams(seed=params.seed, threads=settings.threads)
    return World(
        as_of,
        params,
        CooccurrenceParams(settings.association.shrinkage, settings.association.min_pair_baskets),
        products,
        ground.bundles,
        ground.bundle_items,
        ground.candidates,
        ground.associations,
        ground.baskets,
        days,
        elastic,
        side_effects(days, products, None, as_of) or UNTOLD,
        usual_level(days, products, as_of, params.sale_days, demand, ground.market_signals),
        quantity_response(days, ground.baskets, products, as_of),
    )
