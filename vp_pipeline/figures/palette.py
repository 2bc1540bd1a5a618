"""The colours and the font of every figure, and nothing that imports Plotly.

Okabe and Ito's, told apart with every common kind of colour blindness and on light and dark paper.
"""

BLUE = "#0072B2"
SKY = "#56B4E9"
GREEN = "#009E73"
ORANGE = "#E69F00"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#8A8F98"

UP, DOWN = GREEN, VERMILLION

STACKED = (BLUE, ORANGE, GREEN, SKY, PURPLE, VERMILLION, "#C9B800", GREY)
"""Parts of a whole, the largest first; the last is for the rest together."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
