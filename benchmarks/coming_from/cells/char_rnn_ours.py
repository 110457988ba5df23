import math

import ostinato

text = ostinato.read("text.txt", kind="text", per_line=False)
budget = ostinato.Budget(max_steps=300)
model = ostinato.fit(text, model="lstm", hidden=128, budget=budget, threads=1).model
new = ostinato.read("new.txt", kind="text", per_line=False)
result = ostinato.score(model, new).nats_per_step / math.log(2)
print(ostinato.sample(model, 200)[0])
