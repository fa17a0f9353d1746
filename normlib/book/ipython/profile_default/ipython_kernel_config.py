"""How figures of executed chapters are drawn: crisp at every zoom, the same bytes every time."""

c = get_config()  # noqa: F821  IPython defines it

c.InlineBackend.figure_formats = {"svg"}
# A date in a figure would change the book's bytes with every build.
c.InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Date": None}}
c.HistoryManager.enabled = False
