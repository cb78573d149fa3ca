"""CALVIN's play table, tasks and long-horizon protocol; built in, or on the official assets or the official package."""
