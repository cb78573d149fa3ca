"""RLBench's exceptions."""


class InvalidActionError(Exception):
    pass


class TaskEnvironmentError(Exception):
    pass
