"""The book: execute the chapters, stage them, build the HTML, check it, put it in place.

Imports nothing heavy, so that the command line starts at once.
"""
