"""Figures: a tidy table in, an Altair chart out; one module for each chapter."""
