import math
from pathlib import Path

import torch
from torch import nn

torch.manual_seed(0)
torch.set_num_threads(1)
text, new = Path("text.txt").read_text(), Path("new.txt").read_text()
symbols = sorted(set(text + new))
code = {symbol: number for number, symbol in enumerate(symbols)}
rows, window, hidden = 32, 50, 128
data = torch.tensor([code[symbol] for symbol in text])
length = (len(data) - 1) // rows
inputs = data[: rows * length].view(rows, length).t()
targets = data[1 : rows * length + 1].view(rows, length).t()


class CharRNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(len(symbols), hidden)
        self.lstm = nn.LSTM(hidden, hidden)
        self.head = nn.Linear(hidden, len(symbols))

    def forward(self, x, state=None):
        h, state = self.lstm(self.embed(x), state)
        return self.head(h), state


model = CharRNN()
optimiser = torch.optim.Adam(model.parameters(), lr=0.002)
steps = 0
while steps < 300:
    state = None
    for start in range(0, length - window, window):
        if steps == 300:
            break
        logits, state = model(inputs[start : start + window], state)
        state = tuple(part.detach() for part in state)
        goal = targets[start : start + window]
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), goal.flatten())
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5)
        optimiser.step()
        steps += 1
codes = torch.tensor([code[symbol] for symbol in new])
with torch.no_grad():
    logits, _ = model(codes[:-1, None])
    nats = nn.functional.cross_entropy(logits[:, 0], codes[1:])
result = float(nats) / math.log(2)

symbol, state, drawn = codes[:1, None], None, ""
with torch.no_grad():
    for _ in range(200):
        logits, state = model(symbol, state)
        symbol = torch.multinomial(logits[0].softmax(-1), 1)
        drawn += symbols[int(symbol)]
print(drawn)
