import ostinato

ahead = ostinato.forecast("sales.csv", horizon=12, level=[80, 95], model="ets")
result = ahead.frame["ostinato"].to_numpy()
