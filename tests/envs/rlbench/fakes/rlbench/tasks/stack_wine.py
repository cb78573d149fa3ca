class StackWine:
    variations = 2
    state = 5

    def descriptions(self, variation):
        return [f"put bottle {variation} on the rack", "stack the wine"]
