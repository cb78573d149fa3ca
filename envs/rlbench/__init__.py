"""RLBench's tasks for a Panda arm on a table: own models of them on PyBullet, or the installed package `rlbench`."""
