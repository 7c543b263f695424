"""The networks and the warp, written once for two and three dimensions."""
