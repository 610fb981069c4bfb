"""Which queue a ticket belongs to: words weighed by TF-IDF, then a logistic regression.

The model is a vocabulary in JSON and arrays in NPZ: formats that hold no code.
"""

import json

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression


def words():
    return {"ngram_range": (1, 2), "sublinear_tf": True}


def train(job):
    table = job.data.table()
    vectoriser = TfidfVectorizer(**words(), min_df=2)
    features = vectoriser.fit_transform(table["text"].to_pylist())
    job.progress(step=1, of=2, message=f"{features.shape[1]} words and pairs of words")
    model = LogisticRegression(C=job.params.get("C", 1.0), max_iter=1000)
    model.fit(features, table[job.target].to_pylist())
    job.progress(step=2, of=2, message="fitted")
    vocabulary = {word: int(place) for word, place in vectoriser.vocabulary_.items()}
    (job.out / "vocabulary.json").write_text(json.dumps(vocabulary))
    np.savez(job.out / "weights.npz", idf=vectoriser.idf_, coefficients=model.coef_, intercepts=model.intercept_)


def predict(job):
    vocabulary = json.loads((job.model / "vocabulary.json").read_text())
    weights = np.load(job.model / "weights.npz", allow_pickle=False)
    vectoriser = TfidfVectorizer(**words(), vocabulary=vocabulary)
    vectoriser.idf_ = weights["idf"]
    features = vectoriser.transform(job.data.table()["text"].to_pylist())
    scores = features @ weights["coefficients"].T + weights["intercepts"]
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)  # in the order of job.classes, which is that of scikit-learn
