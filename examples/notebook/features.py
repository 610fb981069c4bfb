"""A transformer of one's own: in a file, so that the isolated trainer and every later reader find it."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


class Winsorise(TransformerMixin, BaseEstimator):
    """Draws what lies outside the middle of the training values to its ends."""

    def __init__(self, share=0.02):
        self.share = share

    def fit(self, X, y=None):  # noqa: ARG002, N803 - the signature of scikit-learn
        """Learn the ends of each column."""
        self.low_, self.high_ = np.nanquantile(np.asarray(X, float), [self.share, 1 - self.share], axis=0)
        return self

    def transform(self, X):  # noqa: N803
        """The values, none beyond the ends."""
        return np.clip(np.asarray(X, float), self.low_, self.high_)
