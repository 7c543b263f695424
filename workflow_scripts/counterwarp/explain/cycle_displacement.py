"""The coupled simulator that computes a displacement (Liu et al. 2021), whatever `simulator.output` says."""

from counterwarp.explain.cycle import Cycle

build = Cycle
