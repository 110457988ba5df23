"""The verbs on a fitted model: score, sample, forecast, stream and describe."""
