"""P(class | sequence) by Bayes' rule: one model of each class, and a regression on their likelihoods."""
