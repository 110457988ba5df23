import ostinato

past = ostinato.read("load.csv", future_covariates=["temperature"])
model = ostinato.fit(past, model="direct", horizon=24, networks=0).model
ahead = ostinato.forecast(model, past, future="tomorrow.csv", level=80)
result = ahead.frame["ostinato"].to_numpy()
