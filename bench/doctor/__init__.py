"""A zoo of trainings, broken ones and healthy ones, and how much of it the doctor recognises."""
