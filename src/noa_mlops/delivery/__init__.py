"""Delivery: handing out a promoted model, and nothing else in its place.

What is handed out was promoted by a sealed entry of the ledger, is signed by the model key of the policy, and is byte
for byte what that entry names. Whatever differs is refused with its name; nothing here repairs, and nothing here loads
a model: it answers in an isolated process of its own.
"""

from noa_mlops.delivery.loading import load
from noa_mlops.delivery.model import Model
from noa_mlops.delivery.pulling import Pulled, pull

__all__ = ["Model", "Pulled", "load", "pull"]
