"""The coupled simulator that computes a stationary velocity, whatever `simulator.output` says."""

from counterwarp.explain.cycle import Cycle

build = Cycle
