"""Files of other programs and data sets that hold a grid; OccScene's own `.npz` is in `occscene.grid`."""
