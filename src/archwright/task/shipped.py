"""Time series that packages bring along, as tables; nothing is downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["carbon_dioxide", "electricity_demand", "share_prices"]


def electricity_demand() -> pd.DataFrame:
    """Megawatts in England and Wales, each half-hour of twelve weeks from Monday, 5 June 2000 on.

    Taylor, *Short-term electricity demand forecasting using double seasonal exponential smoothing*, Journal of the
    Operational Research Society, 2003; brought by pmdarima.
    """
    import pandas as pd
    from pmdarima.datasets import load_taylor

    demand = load_taylor()
    return pd.DataFrame({"time": pd.date_range("2000-06-05", periods=len(demand), freq="30min"), "megawatts": demand})


def carbon_dioxide() -> pd.DataFrame:
    """Parts per million at Mauna Loa, weekly from 1958 to 2001, with 59 weeks missing; brought by statsmodels."""
    from statsmodels.datasets.co2 import load_pandas

    return load_pandas().data.rename_axis("time").reset_index()


def share_prices() -> pd.DataFrame:
    """Open, high, low and close of one share (MSFT) and how many were traded, each day of trade from 2012 to 2017.

    Older prices are adjusted for splits to some cents, so that what is a usual step then says nothing of today's;
    brought by pmdarima.
    """
    from pmdarima.datasets import load_msft

    prices = load_msft()
    prices = prices[prices["Date"] >= "2012"]
    return prices[["Date", "Open", "High", "Low", "Volume", "Close"]].reset_index(drop=True)
