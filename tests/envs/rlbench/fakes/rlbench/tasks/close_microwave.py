class CloseMicrowave:
    variations = 1
    state = 6

    def descriptions(self, variation):
        return ["close microwave", "shut the microwave"]
