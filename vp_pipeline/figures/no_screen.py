"""A backend of Matplotlib for figures that nobody watches: `pyplot.switch_backend("module://" + __name__)`.

pyplot draws a figure once more after it has saved it, for whoever looks on. Here belongs leaving that out;
what is saved stays the same.
"""

from matplotlib.backends.backend_agg import FigureCanvasAgg


class FigureCanvas(FigureCanvasAgg):
    """A canvas that is drawn when it is saved, and only then."""

    def draw_idle(self, *_arguments: object, **_options: object) -> None:
        """Nobody waits for it."""
