"""What simulated tabletops share on PyBullet: arm, cameras, solids, the simulation. Needs the extra `robots`."""
