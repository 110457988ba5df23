"""The diagonal linear recurrence."""
