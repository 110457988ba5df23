import ostinato

ahead = ostinato.forecast("sales.csv", horizon=12, level=80)
result = ahead.frame["ostinato"].to_numpy()
