"""Boards and records as terminal tables, pages, files and figures. Imports no torch."""
