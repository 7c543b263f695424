"""Two ordinary simulators, one to inject and one to remove, trained together, read as `cycle`."""

from counterwarp.explain.cycle import Cycle

build = Cycle
