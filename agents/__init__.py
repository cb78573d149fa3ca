"""What looks at frames and decides: the VideoWorld model and the agents, players and arena built around it."""
