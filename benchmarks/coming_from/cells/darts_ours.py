import ostinato

windows = ostinato.backtest("one.csv", "ets", horizon=12, n_windows=3, refit=True)
result = windows.frame["ets"].to_numpy()
