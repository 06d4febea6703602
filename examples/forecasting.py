"""Time series in, a trained network that says how they go on out.

    python examples/forecasting.py

Replace `demand` by your table: aw.task.Forecasting(frame, target="sold", group="shop", horizon=14), or a CSV file.
Needs the extra: pip install 'archwright[series]'
"""

import os

import archwright as aw
from archwright.export import predict
from archwright.task.shipped import electricity_demand

demand = electricity_demand()  # megawatts, each half-hour of twelve weeks
task = aw.task.Forecasting(demand, target="megawatts", horizon=48, context=336)  # the next day, from the last week
print(task)

budget = os.environ.get("ARCHWRIGHT_EXAMPLE_BUDGET", "2 min")
result = aw.search(task, objectives=[aw.minimize("mase"), aw.at_most(params="200k")], budget=budget)
print(f"MASE {result.test['mase']['mean']:.3f} on the test weeks, by the kind {result.best.architecture['kind']}")

folder = result.save("runs/forecasting")
tomorrow = predict(folder, demand)[0].value["megawatts"]
print("tomorrow at noon:", round(tomorrow[24]), "megawatts")
