"""Words of the simulated shop: departments and needs, brands, tiers, regions."""

NEEDS = (
    ("PANTRY", "PASTA"),
    ("PANTRY", "TOMATO SAUCE"),
    ("DAIRY", "HARD CHEESE"),
    ("DRINKS", "COFFEE"),
    ("DAIRY", "MILK"),
    ("BAKERY", "BREAD"),
    ("DAIRY", "BUTTER"),
    ("PANTRY", "JAM"),
    ("MEAT", "BURGERS"),
    ("BAKERY", "BURGER BUNS"),
    ("PANTRY", "KETCHUP"),
    ("DRINKS", "COLA"),
    ("SNACKS", "CRISPS"),
    ("PRODUCE", "SALAD"),
    ("PRODUCE", "TOMATOES"),
    ("PANTRY", "OLIVE OIL"),
    ("PANTRY", "FLOUR"),
    ("PANTRY", "SUGAR"),
    ("DAIRY", "EGGS"),
    ("DRINKS", "ORANGE JUICE"),
    ("BREAKFAST", "CEREAL"),
    ("DAIRY", "YOGURT"),
    ("PRODUCE", "BANANAS"),
    ("PRODUCE", "BERRIES"),
    ("MEAT", "CHICKEN"),
    ("PANTRY", "RICE"),
    ("PANTRY", "CURRY PASTE"),
    ("PANTRY", "COCONUT MILK"),
    ("FROZEN", "ICE CREAM"),
    ("FROZEN", "PIZZA"),
    ("HOUSEHOLD", "DISHWASHER TABLETS"),
    ("HOUSEHOLD", "LAUNDRY LIQUID"),
    ("HOUSEHOLD", "KITCHEN ROLL"),
    ("BABY", "NAPPIES"),
    ("BABY", "BABY WIPES"),
    ("PETS", "CAT FOOD"),
    ("PETS", "CAT LITTER"),
    ("SEASONAL", "CHARCOAL"),
    ("SEASONAL", "GINGERBREAD"),
    ("DRINKS", "TEA"),
)
"""Department and name of each need; a larger shop numbers them through again."""

BRANDS = ("House", "Meadow", "Harvest", "Summit", "Orchard", "Harbour", "Lantern", "Willow")
TIERS = ("Value", "Classic", "Select", "Organic")
REGIONS = ("north", "east", "south", "west")
AGES = ("19-24", "25-34", "35-44", "45-54", "55-64", "65+")
INCOMES = ("under 35K", "35-49K", "50-74K", "75-99K", "100K+")
GENDERS = ("f", "m", "x")
SEGMENTS = ("family", "single", "couple")


def need_name(need: int) -> tuple[str, str]:
    """Return department and name of a need; names stay different however many there are."""
    department, name = NEEDS[need % len(NEEDS)]
    again = need // len(NEEDS)
    return department, f"{name} {again + 1}" if again else name
