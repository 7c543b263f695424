"""The coupled simulator trained by cross-entropy to the other group (Liu et al. 2021, Fig. 4b), read as `cycle`."""

from counterwarp.explain.cycle import Cycle

build = Cycle
