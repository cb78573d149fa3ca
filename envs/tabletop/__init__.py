"""What simulated tabletops share on PyBullet: the arm, cameras, solids, the simulation itself. Needs the extra `robots`."""
