"""How a history of any length fits into 600 points, pure: the finer half of the numbers goes whenever it is full."""

MOST_POINTS = 600
"""With the point that is added for the present moment."""


def resolution(number: int) -> int:
    """Seconds between the points of a history whose last one has this number: the least power of two that fits.

    A point's number is how many seconds of history lie before it: the kept ones are the multiples of the resolution.
    """
    step = 1
    while number // step + 2 > MOST_POINTS:
        step *= 2
    return step


def following(number: int | None) -> int:
    """The number of the point after `number`, one that stays in the history it ends; None: of the first one."""
    if number is None:
        return 0
    step = resolution(number + resolution(number))
    return (number // step + 1) * step
