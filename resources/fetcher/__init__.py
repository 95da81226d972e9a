"""The fetcher: addresses of images to bytes, politely. `fetch_all(wanted, FetchSettings(...), write)` is the way in."""

from resources.fetcher.archive import WarcWriter
from resources.fetcher.fetch import fetch_all
from resources.fetcher.result import Attempt, Exchange, Fetched, Wanted
from resources.fetcher.settings import FetchSettings

__all__ = ["Attempt", "Exchange", "FetchSettings", "Fetched", "Wanted", "WarcWriter", "fetch_all"]
