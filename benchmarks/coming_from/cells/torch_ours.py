import numpy as np
import torch

from ostinato.nn import GRU

torch.manual_seed(0)
torch.set_num_threads(1)
x = torch.tensor(np.loadtxt("sensor.csv", skiprows=1), dtype=torch.float32)
x = (x - x.mean())[:2000].view(20, 100).t()[..., None]
gru, head = GRU(1, 64), torch.nn.Linear(64, 1)
optimiser = torch.optim.Adam([*gru.parameters(), *head.parameters()], lr=0.01)
for _ in range(100):
    loss = torch.nn.functional.mse_loss(head(gru(x[:-1])[0]), x[1:])
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
result = float(loss.detach())
