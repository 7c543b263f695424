"""The coupled simulator asked for the logit shift of Liu et al. 2021, 12.5, read as `cycle`."""

from counterwarp.explain.cycle import Cycle

build = Cycle
